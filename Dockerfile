# Assay: the gateway, a service, or one analysis. docs/operating/containers.md tells how it is run, and
# which layers of the sandbox hold in it.
#
#   docker build --tag assay:0.1.0 .
#   docker run --rm --volume "$PWD:/app/sources:ro" assay:0.1.0 analyze /app/sources

# Node with npm, as its makers ship it: Debian's npm brings some hundred packages of its own.
FROM node:22.21.1-trixie-slim AS node

FROM rust:1.95.0-slim-trixie AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist --package assay --bin assay && \
    cp target/dist/assay /usr/local/bin/assay

FROM debian:13.1-slim AS runtime
LABEL org.opencontainers.image.title="assay" \
      org.opencontainers.image.description="Runs every analyzer you trust over every app you have, and tells the truth about what ran" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.source="https://github.com/assay-dev/assay"

# What analyzers from PyPI and npm need to be installed and to run, and whom to trust when they are fetched.
# The newest patches of Debian's release are wanted, so their versions are not pinned.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates python3 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
# Volumes take over who owns these folders.
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && \
    groupadd --gid 10001 assay && \
    useradd --uid 10001 --gid assay --home-dir /var/lib/assay --no-create-home --shell /usr/sbin/nologin assay && \
    install --directory --owner assay --group assay --mode 0750 /var/lib/assay /var/cache/assay && \
    install --directory /app/sources
COPY --from=build /usr/local/bin/assay /usr/local/bin/assay

# Results, the book and the pid file lie under /var/lib/assay, installed tools under /var/cache/assay. Copies of
# apps lie in /var/tmp while they are analysed.
ENV HOME=/var/lib/assay \
    XDG_STATE_HOME=/var/lib \
    XDG_CACHE_HOME=/var/cache \
    TMPDIR=/var/tmp
WORKDIR /app
USER 10001:10001
VOLUME ["/var/lib/assay", "/var/cache/assay", "/var/tmp"]
EXPOSE 8765 2001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 CMD ["assay", "ping"]
ENTRYPOINT ["assay"]
CMD ["--help"]
