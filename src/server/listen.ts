/** Where the service listens, and what is connected to it. */
import dns from 'node:dns';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';

export interface Listening {
  readonly port: number;
  /**
   * Takes no further connections at the addresses that the app's own server does not have; resolves when none of them
   * is left.
   */
  readonly close: () => Promise<void>;
  /**
   * Ends every connection, also those on which nothing was asked, or no TLS was spoken: Node looks for requests only.
   */
  readonly cut: () => void;
}

/**
 * `localhost` is two addresses on most machines, and some clients try one of them only. fastify would open a second
 * server for the other one, whose connections nobody can end; here all connections are those of the app's server.
 * Throws what the system says of the first address; where another one cannot be had, the first has to do.
 */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<Listening> {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const [first = host, ...others] = host === 'localhost' ? await addressesOf(host) : [host];
  await app.listen({ host: first, port });
  const { port: taken } = app.server.address() as AddressInfo;
  const doors = await Promise.all(others.map((address) => door(app, address, taken)));
  return {
    port: taken,
    close: async () => {
      await Promise.all(doors.map((server) => new Promise((resolve) => server.close(resolve))));
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function addressesOf(host: string): Promise<string[]> {
  return (await promisify(dns.lookup)(host, { all: true })).map(({ address }) => address);
}

/** Hands its connections on to the app's server; closed already where the address cannot be had. */
function door(app: FastifyInstance, host: string, port: number): Promise<Server> {
  return new Promise((resolve) => {
    // As a server for HTTP has them.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      app.server.emit('connection', socket);
    });
    const done = (): void => {
      resolve(server);
    };
    server.on('error', done).listen({ host, port }, done);
  });
}
