FROM node:20.20.2-bookworm-slim AS base

FROM base AS build
WORKDIR /source
COPY . .
RUN node scripts/prepare.mjs
# What runs, without its tests, and what that depends on: of the versions in the lockfile, and without their scripts.
RUN mkdir /posthaste \
  && cp -r --parents LICENSE package.json pnpm-lock.yaml pnpm-workspace.yaml patches packages/*/package.json packages/*/dist/src /posthaste \
  && cd /posthaste \
  && CI=true node /source/scripts/pnpm.mjs --filter "@posthaste/cli..." install --prod --frozen-lockfile --ignore-scripts

FROM base
COPY --from=build /posthaste /posthaste
RUN install -d -o node -g node /data
WORKDIR /posthaste
USER node
# Of the container; publish the port on an address of the machine.
ENV POSTHASTE_HOST=0.0.0.0 POSTHASTE_DATA_DIR=/data
EXPOSE 8080
VOLUME /data
# Whether it lives, not whether it is ready: a restart does not bring a broker back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.POSTHASTE_PORT || 8080}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "/posthaste/packages/cli/dist/src/main.js"]
CMD ["start"]
