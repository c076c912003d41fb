export {
  checkServerOptions,
  SERVER_BOUNDS,
  SERVER_DEFAULTS,
  type ServerLog,
  type ServerOptions,
} from './server-options.ts';
export { startServer, type RekeyResult, type RunningServer } from './server.ts';
