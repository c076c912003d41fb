# The service as an image: Debian's ffmpeg, no build tools, not root.
#
#   docker build -t yoco-live .
#   docker run -p 127.0.0.1:8080:8080 -e YOCO_API_KEYS=at-least-16-characters yoco-live
#
# Inside the container the service listens on every address, which requires at least one API key. Without YOCO_API_KEYS
# it exits at once and says so.
#
# Times of day in questions ("after 9 pm") are UTC unless a time zone is set: -e YOCO_TIME_ZONE=Europe/Berlin
#
# On a GPU (NVIDIA's container toolkit provides the driver, the image the Vulkan loader):
#
#   docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility -e YOCO_DEVICE=webgpu ...

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:22-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Debian's ffmpeg replaces npm's, and ONNX Runtime's binaries for other systems are not needed.
RUN npm ci --omit=dev \
  && rm -rf node_modules/@ffmpeg-installer \
    node_modules/onnxruntime-node/bin/napi-v*/darwin \
    node_modules/onnxruntime-node/bin/napi-v*/win32

FROM node:22-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg libvulkan1 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production YOCO_HOST=0.0.0.0
COPY package.json LICENSE NOTICE ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY web web
COPY models models
COPY streams streams
# A new volume mounted here inherits this owner.
RUN install -d -o node -g node /snapshots
USER node
EXPOSE 8080
# Healthy means that the service listens; /readyz also says whether the engine has loaded the model.
# With YOCO_TLS_KEY and YOCO_TLS_CERT the address is https: override this health check.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js", "serve"]
