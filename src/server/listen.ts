/** Listens on the service's addresses and tracks the open connections. */
import dns from 'node:dns';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';

export interface Listener {
  readonly port: number;
  /**
   * Stops listening on the addresses that the app's own server does not cover; resolves when their connections have
   * ended.
   */
  readonly close: () => Promise<void>;
  /**
   * Destroys every connection, even without a request or a TLS handshake: Node itself only knows those with requests.
   */
  readonly destroyConnections: () => void;
}

/**
 * `localhost` has two addresses on most machines, and some clients try only one of them. fastify would open a second
 * server for the other address, and its connections could not be ended; here all connections belong to the app's
 * server. Throws the system's error for the first address; if another one is unavailable, the first has to do.
 */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<Listener> {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const [first = host, ...others] = host === 'localhost' ? await addressesOf(host) : [host];
  await app.listen({ host: first, port });
  const { port: boundPort } = app.server.address() as AddressInfo;
  const extraServers = await Promise.all(others.map((address) => openExtraServer(app, address, boundPort)));
  return {
    port: boundPort,
    close: async () => {
      await Promise.all(extraServers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
    destroyConnections: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function addressesOf(host: string): Promise<string[]> {
  return (await promisify(dns.lookup)(host, { all: true })).map(({ address }) => address);
}

/** A listener that hands its connections to the app's server; already closed if its address is unavailable. */
function openExtraServer(app: FastifyInstance, host: string, port: number): Promise<Server> {
  return new Promise((resolve) => {
    // The socket options of Node's HTTP server.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      app.server.emit('connection', socket);
    });
    const done = (): void => {
      resolve(server);
    };
    server.on('error', done).listen({ host, port }, done);
  });
}
