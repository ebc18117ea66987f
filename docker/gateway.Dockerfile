# The Hermes gateway with this plugin. The build context is the repository's root: see compose.yaml.
FROM python:3.13-slim-bookworm

ARG HERMES_VERSION=0.19.0
# Additional pip packages, for example "faster-whisper==1.2.1".
ARG EXTRA_PACKAGES=""

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y ffmpeg \
    && rm -rf /var/lib/apt/lists/*

# Docker gives an empty volume the owner and mode of the directory it is mounted on.
RUN useradd --uid 10000 --user-group --no-create-home --home-dir /opt/data hermes \
    && install -d -o hermes -g hermes -m 0700 /opt/data \
    && install -d -o hermes -g hermes -m 0755 /opt/data/cache /workspace

WORKDIR /src
COPY pyproject.toml README.md LICENSE __main__.py ./
COPY adapters adapters
COPY cli cli
COPY common common
# hadolint ignore=SC2086
RUN pip install --no-cache-dir . "hermes-agent==${HERMES_VERSION}" ${EXTRA_PACKAGES}

COPY --chmod=0755 docker/hermes.sh /opt/hermes/hermes
COPY docker/config.yaml /opt/hermes/config.yaml

ENV HOME=/opt/data \
    HERMES_HOME=/opt/data \
    HERMES_DISABLE_LAZY_INSTALLS=1 \
    PATH=/opt/hermes:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1
WORKDIR /workspace
USER 10000:10000
ENTRYPOINT ["hermes"]
CMD ["gateway", "run"]
