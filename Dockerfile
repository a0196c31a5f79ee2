# Finds faces, without torch and without root:
#
#   docker build --tag facetl .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" facetl detect frames --out found

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++
WORKDIR /source
COPY pyproject.toml setup.py README.md LICENSE ./
COPY facetl facetl
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir /wheels/*.whl && useradd --create-home facetl
USER facetl
ENV MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["facetl"]
