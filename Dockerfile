# The container action. Both bases can be replaced, so that the image builds
# where only a local image is at hand; the legacy builder will do.
# PIN both by digest, such as golang:1.26-alpine@sha256:..., before a release: it refuses until then.
ARG BUILD_IMAGE=golang:1.26-alpine
ARG BASE_IMAGE=alpine:3.22

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
ARG COMMIT=
ARG DATE=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT} -X main.date=${DATE}" -o /image/l4-canary ./cmd/action \
    && ln -s l4-canary /image/l4-canary-post

# /l4-canary-post is the same program: by that name it is the action's post step,
# which gets the inputs and the arguments of the step itself.
#
# A shell and the usual tools have to be there: runners in Kubernetes mode start
# containers through them. No USER: the runner's files belong to root.
FROM ${BASE_IMAGE}
ARG VERSION=dev
ARG COMMIT=
LABEL org.opencontainers.image.title="l4-canary" \
      org.opencontainers.image.source="https://github.com/org/l4-canary" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /image/ /
ENTRYPOINT ["/l4-canary"]
