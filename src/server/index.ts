export {
  checkServerOptions,
  SERVER_BOUNDS,
  SERVER_DEFAULTS,
  type ServerLog,
  type ServerOptions,
} from './server-options.ts';
export { startServer, type RekeyResult as Rekeyed, type RunningServer } from './server.ts';
