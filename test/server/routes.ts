/** Every route of the service, for tests that check something on all of them. */
import { AuditLog } from '../../src/server/audit.ts';
import { Authenticator } from '../../src/server/auth.ts';
import { createHttpApp } from '../../src/server/http.ts';
import { resolveOptions } from '../../src/server/server-options.ts';
import { ServerMetrics } from '../../src/server/metrics.ts';
import { FileStandingQuestions } from '../../src/server/file-standing-questions.ts';
import type { FakeLiveService } from './fake-live-service.ts';

/** Parsed from the tree that the router prints, where each level is indented by four more characters. */
export function routes(live: FakeLiveService): string[] {
  const limits = resolveOptions({});
  const metrics = new ServerMetrics(live, () => 0);
  const audit = new AuditLog(limits.log);
  const notices = new FileStandingQuestions(limits, metrics);
  const app = createHttpApp(live, {
    auth: new Authenticator(limits),
    options: limits,
    metrics,
    audit,
    standingQuestions: notices,
    isDraining: () => false,
  });
  const parts: string[] = [];
  const found: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, branch = '', part = '', methods] = /^(.*── )(\S+)( \(.+\))?$/.exec(line) ?? [];
    if (part === '') continue;
    parts.splice(branch.length / 4 - 1, Infinity, part);
    if (methods !== undefined) found.push(parts.join(''));
  }
  return found;
}
