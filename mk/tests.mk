# SPDX-License-Identifier: Apache-2.0 OR MIT
# Tests. A file tests/unit/test_X.c is one cmocka program; tests/unit/FOLDER_libs below says what it links.

