FROM python:3.12-slim
# ruleid: assay.generic.dockerfile-secret-in-env
ENV API_TOKEN=not-really-a-token
# ok: assay.generic.dockerfile-secret-in-env
ENV LOG_LEVEL=information
# ok: assay.generic.dockerfile-secret-in-env
ARG API_TOKEN
# ruleid: assay.generic.dockerfile-remote-script
RUN curl -sSL https://example.org/install.sh | bash
# ok: assay.generic.dockerfile-remote-script
RUN curl -sSLo install.sh https://example.org/install.sh && sha256sum -c install.sha && sh install.sh
# ruleid: assay.generic.dockerfile-remote-add
ADD https://example.org/tool.tar.gz /opt/
# ok: assay.generic.dockerfile-remote-add
ADD --checksum=sha256:0000 https://example.org/tool.tar.gz /opt/
# ruleid: assay.generic.dockerfile-copies-env-file
COPY .env /app/.env
# ok: assay.generic.dockerfile-copies-env-file
COPY .env.example /app/.env.example
# ok: assay.generic.dockerfile-copies-env-file
COPY app.py /app/
# ruleid: assay.generic.dockerfile-debug-server
ENV FLASK_DEBUG=1
# ruleid: assay.generic.dockerfile-debug-server, assay.generic.dockerfile-runs-as-root
CMD ["flask", "run", "--host", "0.0.0.0"]

FROM python:3.12-slim
RUN useradd app
USER app
# ok: assay.generic.dockerfile-debug-server, assay.generic.dockerfile-runs-as-root
CMD ["gunicorn", "app:app"]
