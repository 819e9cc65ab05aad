# The gateway with its locked runtime requirements: no compiler, no test tool, no local model.
# A mirror of your own, or one build of it: --build-arg BASE=python:3.13-slim@sha256:…
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements requirements
RUN pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && uv venv /opt/wizard \
 && uv pip install --python /opt/wizard --no-cache --compile-bytecode --no-deps --require-hashes -r requirements/runtime.txt
COPY pyproject.toml LICENSE ./
COPY app app
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && uv pip install --python /opt/wizard --no-cache --compile-bytecode --no-deps --no-index dist/*.whl

FROM ${BASE}
COPY --from=build /opt/wizard /opt/wizard
ENV PATH=/opt/wizard/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# In the environment, where `docker exec … wizard doctor` finds it too. Behind it the gateway asks for keys (auth.required), or
# starts only if auth.allow_open says that it need not.
ENV WIZARD_SERVER__HOST=0.0.0.0
# ./config.yaml is looked for here; nothing is ever written, so the root file system may be read-only.
WORKDIR /etc/wizard
# By number, so that an orchestrator can tell that it is not root.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "\
import http.client, os; \
gateway = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('WIZARD_SERVER__PORT', '8080')), timeout=2); \
gateway.request('GET', '/livez'); \
raise SystemExit(gateway.getresponse().status != 200)"]
ENTRYPOINT ["wizard", "serve"]
