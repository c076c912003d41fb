/** `/v1/snapshots`: list and delete snapshots, and take one of a stream. File paths are never shown. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { LiveService, SnapshotInfo } from '../live/types.ts';
import { jsonBody } from './json-body.ts';
import { parseOrThrow } from './parse-request.ts';
import type { LogChange } from './stream-routes.ts';
import { seconds, wallTime } from './times.ts';

export const snapshotRequest = z.strictObject({ file: z.string().min(1).max(200).optional() });

export function snapshotRoutes(app: FastifyInstance, live: LiveService, logChange: LogChange): void {
  app.get('/v1/snapshots', async () => ({ object: 'list', data: (await live.snapshots()).map(snapshotJson) }));

  app.delete<{ Params: { file: string } }>('/v1/snapshots/:file', async (request) => {
    const { file } = request.params;
    await live.deleteSnapshot(file);
    logChange(request, { snapshot: file }, 'A client deleted a snapshot.');
    return { object: 'yoco.snapshot.deleted', file, deleted: true };
  });

  app.post<{ Params: { name: string } }>('/v1/streams/:name/snapshot', async (request, reply) => {
    const { file } = parseOrThrow(snapshotRequest, jsonBody(request));
    const { name } = request.params;
    const made = await live.snapshot(name, file);
    logChange(request, { stream: name, snapshot: made.file }, 'A client wrote a snapshot.');
    return reply.code(201).send(snapshotJson(made));
  });
}

/** Times in seconds since the stream began, wall times in RFC 3339, sizes in bytes; null where `error` says why. */
function snapshotJson({ file, bytes, summary, error }: SnapshotInfo) {
  const fromSummary = <T>(value: (known: NonNullable<typeof summary>) => T): T | null =>
    summary === null ? null : value(summary);
  return {
    object: 'yoco.snapshot' as const,
    file,
    bytes,
    stream: fromSummary(({ stream }) => stream),
    fps: fromSummary(({ fps }) => fps),
    frames: fromSummary(({ frames }) => frames),
    first: fromSummary(({ firstMs }) => seconds(firstMs)),
    last: fromSummary(({ lastMs }) => seconds(lastMs)),
    first_time: fromSummary(({ firstMs, startedAtMs }) => wallTime(firstMs, startedAtMs)),
    last_time: fromSummary(({ lastMs, startedAtMs }) => wallTime(lastMs, startedAtMs)),
    created_at: fromSummary(({ createdAtMs }) => wallTime(createdAtMs, 0)),
    bundle: fromSummary(({ bundle }) => bundle),
    error,
  };
}
