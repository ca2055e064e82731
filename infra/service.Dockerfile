# The API as a container: `selflabel serve`, on processors. Built from the root of the project after `node build.mjs`.
FROM public.ecr.aws/docker/library/node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: nothing here needs one, and CUDA libraries stay out.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY dist/*.mjs dist/
COPY dist/serve dist/serve
USER node
EXPOSE 8080
ENTRYPOINT ["node", "dist/selflabel.mjs", "serve"]
