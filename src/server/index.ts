export { checkServerOptions, SERVER_BOUNDS, SERVER_DEFAULTS, type ServerLog, type ServerOptions } from './limits.ts';
export { startServer, type Rekeyed, type RunningServer } from './server.ts';
