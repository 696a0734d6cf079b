# SPDX-License-Identifier: Apache-2.0 OR MIT
# liblwip.so: lwIP from Debian's source package, our patches, our options, our glue (design D2, D3).

