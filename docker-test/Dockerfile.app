# SPDX-License-Identifier: Apache-2.0 OR MIT
# Somebody else's image, for examples.sh where python:3-slim cannot be had: nothing of ours is in it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3 >/dev/null \
    && rm -rf /var/lib/apt/lists/*
CMD ["python3"]
