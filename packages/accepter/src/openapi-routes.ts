import { openApiDocument } from './openapi.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

/** The document of what this process serves. */
export function addOpenApiRoutes(routes: Routes): void {
  let text: string | undefined
  routes.add(OPERATIONS.getOpenApi, (_, reply) => {
    text ??= JSON.stringify(openApiDocument(routes.operations))
    reply.header('cache-control', 'no-cache').type('application/json; charset=utf-8')
    return text
  })
}
