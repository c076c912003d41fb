/** The page in a real browser; skipped where none is installed. Screenshots go to $YOCO_SCREENSHOTS when it is set. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService, FakeStream } from './fake-live-service.ts';

const KEY = 'a-key-for-the-tests-0123';
const VIEW_KEY = 'a-view-key-of-the-tests-45';
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = [process.env['CHROMIUM_PATH'], ...PLACES].find((path) => path && existsSync(path));
const screenshots = process.env['YOCO_SCREENSHOTS'];

describe.skipIf(executablePath === undefined)('the page', () => {
  let folder: string;
  let browser: BrowserContext;
  let live: FakeLiveService;
  let server: RunningServer;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'yoco-browser-'));
    browser = await chromium.launchPersistentContext(folder, {
      executablePath: executablePath ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
      viewport: { width: 1280, height: 860 },
    });
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  beforeEach(async () => {
    live = new FakeLiveService();
    server = await startServer(live, { port: 0, drainMs: 0, statusIntervalMs: 50 });
    page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
  });

  afterEach(async () => {
    await page.close();
    await server.close();
  });

  async function shoot(name: string): Promise<void> {
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  async function connect(): Promise<void> {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
  }

  /** Asks a question and returns its card. */
  async function ask(question: string): Promise<Locator> {
    await page.locator('#question').fill(question);
    await page.keyboard.press('Enter');
    const title = page.getByRole('heading', { name: question, exact: true });
    return page.locator('.answer').filter({ has: title }).first();
  }

  async function keepAsking(question: string): Promise<Locator> {
    await page.getByLabel('Keep asking').check();
    const card = await ask(question);
    await page.getByLabel('Keep asking').uncheck();
    return card;
  }

  const announced = (): Promise<string | null> => page.locator('#announce').textContent();

  it('recalls earlier questions with the arrow keys, and puts a refused one back into the field', async () => {
    await connect();
    const field = page.locator('#question');
    for (const question of ['what is shown?', 'and now?']) await ask(question);
    for (const [key, text] of [
      ['ArrowUp', 'and now?'],
      ['ArrowUp', 'what is shown?'],
      ['ArrowUp', 'what is shown?'],
      ['ArrowDown', 'and now?'],
      ['ArrowDown', ''],
    ] as const) {
      await field.press(key);
      expect(await field.inputValue()).toBe(text);
    }
    // While a text is being typed, they move the cursor instead.
    await field.fill('is there');
    await field.press('ArrowUp');
    expect(await field.inputValue()).toBe('is there');

    const card = await ask('throw time_out_of_range');
    await card.locator('.problem', { hasText: /./ }).waitFor();
    expect(await field.inputValue()).toBe('throw time_out_of_range');
    await page.keyboard.type('at 5 pm?');
    expect(await field.inputValue()).toBe('at 5 pm?');
    expect(problems).toEqual([]);
  });

  it('shows the picture, streams an answer with its evidence, and asks about the past', async () => {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.locator('#picture').waitFor();
    expect(await page.locator('#clock').textContent()).toBe('1:00');
    live.stream('kitchen').tick(75_000);
    await expect.poll(() => page.locator('#clock').textContent()).toBe('1:15');

    await page.keyboard.press('/');
    await page.keyboard.type('What is on the table?');
    await page.keyboard.press('Enter');
    const card = page.locator('.answer').first();
    await card.getByText('You asked: What is on the table? (turn 1)').waitFor();
    await card.locator('.evidence img').nth(1).waitFor();
    expect(await card.locator('.evidence .span').allTextContents()).toEqual(['1:05 – 1:07', '1:14 – 1:15']);
    expect(await card.locator('.figures').textContent()).toContain('first word 12 ms, all 35 ms');
    expect(await card.locator('.figures').textContent()).toMatch(/^kitchen · as of 1:15 \(.*:\d\d:15.*\) · first word/);
    expect(await card.locator('.evidence button').first().getAttribute('title')).toMatch(
      /\b(20)?30\b.*:\d\d:05.*:\d\d:07.*\. Look closer/,
    );
    expect(await page.locator('#marks i').count()).toBe(2);
    await shoot('answer');

    await card.locator('.evidence button').first().click();
    await page.locator('#frame-dialog img[src]').waitFor();
    expect(await page.locator('#frame-note').textContent()).toMatch(/:\d\d:05.*:\d\d:07.*\. 61 % of the attention/);
    await shoot('evidence');
    expect(await page.locator('#frame-picture').getAttribute('alt')).toBe('What the model saw at 1:06');
    await page.getByRole('button', { name: 'Ask as of this moment' }).click();
    expect(await page.locator('#when').textContent()).toBe('as of 1:06');
    await page.locator('#question').fill('And then?');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.locator('.answer').first().getByText('as of 1:06').waitFor();
    expect(live.stream('kitchen').asked.at(-1)?.options.asOfMs).toBe(66_000);
    await page.keyboard.press('Escape');
    await page.getByLabel('Moment to look at and ask about').press('ArrowLeft');
    expect(await page.locator('#badge').textContent()).toBe('Past');
    expect(await page.locator('#when').textContent()).toBe('as of 1:14.5');
    await page.getByRole('button', { name: 'Back to live' }).click();
    expect(await page.locator('#when').textContent()).toBe('as of now');
    expect(problems).toEqual([]);
  });

  it('marks a short answer of low confidence as a guess, but not a sentence', async () => {
    await connect();
    const sure = await ask('What is this?');
    await sure.locator('.figures', { hasText: 'confidence 0.75' }).waitFor();
    live.stream('kitchen').confidence = 0.19;
    live.stream('kitchen').says = 'a pencil';
    const guess = await ask('And that?');
    await guess.locator('.figures', { hasText: 'confidence 0.19, a guess' }).waitFor();
    expect([await sure.getAttribute('class'), await guess.getAttribute('class')]).toEqual(['answer', 'answer guess']);
    expect(await sure.locator('.figures').textContent()).not.toContain('guess');
    live.stream('kitchen').says = 'a man in a hat is on a boat';
    const sentence = await ask('What happens?');
    await sentence.locator('.figures', { hasText: 'confidence 0.19' }).waitFor();
    expect(await sentence.locator('.figures').textContent()).not.toContain('guess');
    expect(problems).toEqual([]);
  });

  it('shows the age of an old newest frame, on the picture and with answers about now', async () => {
    const [kitchen, door] = [live.stream('kitchen'), live.stream('door')];
    const age = (stream: FakeStream, ms: number): void => {
      stream.startedAtMs = Date.now() - ms - (stream.lastMs ?? 0);
      stream.changed();
    };
    age(kitchen, 3.5 * 3_600_000);
    // The clock of this device does not matter.
    await page.clock.install({ time: '2031-01-01T00:00:00Z' });
    await connect();
    const badge = page.locator('#badge');
    await expect.poll(() => badge.textContent()).toBe('newest frame 3 h old');
    expect(await badge.getAttribute('data-live')).toBe('false');
    const now = (await ask('What is shown now?')).locator('.figures');
    await now.getByText('newest frame').waitFor();
    expect(await now.textContent()).toMatch(/^kitchen · as of 1:00 \(.+\) · newest frame 3 h old · first word/);
    kitchen.state = 'reconnecting';
    kitchen.changed();
    await expect.poll(() => badge.textContent()).toBe('reconnecting, newest frame 3 h old');
    // A recording with a known date is never old.
    kitchen.wallTimes = 'recorded';
    kitchen.changed();
    await expect.poll(() => badge.textContent()).toBe('reconnecting');
    kitchen.wallTimes = 'live';
    kitchen.changed();
    await expect.poll(() => badge.textContent()).toBe('reconnecting, newest frame 3 h old');
    await shoot('old');
    await page.getByLabel('All streams').check();
    // Neither a low frame rate nor a question about the past makes the newest frame old.
    door.fps = 0.01;
    age(door, 30_000);
    await askAll('Which camera shows it?');
    door.fps = 2;
    door.lastMs = 3_600_000;
    door.asksToMs = 102_000;
    age(door, 0);
    await askAll('Which camera showed it before 1:42?');
    await page.getByLabel('All streams').uncheck();

    await page.getByLabel('Moment to look at and ask about').fill('30');
    expect(await badge.textContent()).toBe('Past');
    const then = (await ask('What was shown then?')).locator('.figures');
    await then.getByText('first word').waitFor();
    expect(await then.textContent()).not.toContain('newest');
    await showsAnew(() => page.keyboard.press('Escape'));

    kitchen.state = 'playing';
    // The status makes the page fetch a picture, whose response brings the service's time.
    await showsAnew(() => {
      age(kitchen, 0);
    });
    await expect.poll(() => badge.textContent()).toBe('Live');
    expect(await badge.getAttribute('data-live')).toBe('true');
    await expect.poll(() => page.locator('.evidence .gone').count()).toBe(0);
    // Without frames there is no status: the passing of time alone makes the frame old.
    await page.clock.fastForward('01:00');
    await expect.poll(() => badge.textContent()).toMatch(/^newest frame (1 min|59 s) old$/);
    expect(door.asked).toHaveLength(2);
    expect(problems).toEqual([]);

    async function askAll(question: string): Promise<void> {
      const figures = (await ask(question)).locator('.figures');
      await figures.getByText('newest frame').waitFor();
      expect(await figures.textContent()).toMatch(
        /^door, kitchen · as of [^·]+ · newest frame of kitchen 3 h old · first word/,
      );
    }

    /** Resolves when the page shows the live picture that `by` makes it fetch. */
    async function showsAnew(by: () => Promise<void> | void): Promise<void> {
      const picture = page.locator('#picture');
      const before = await picture.getAttribute('src');
      const response = page.waitForResponse((answer) => answer.url().endsWith('/v1/streams/kitchen/frames'));
      await by();
      await response;
      await expect.poll(() => picture.getAttribute('src')).not.toBe(before);
    }
  });

  it('keeps one connection, however quickly the stream is switched', async () => {
    await connect();
    // As over a slow network: the token of each attempt arrives late.
    await page.evaluate(`sessionStorage.setItem('yoco-live-key', '${KEY}')`);
    await page.route('**/v1/token', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await route.continue();
    });
    await page.reload();
    await page.getByText('Connected', { exact: true }).waitFor();
    const list = page.locator('#stream');
    for (const name of ['door', 'kitchen', 'door', 'kitchen', 'door']) await list.selectOption(name);
    await expect.poll(() => page.locator('#fact-source').textContent()).toBe('push');
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.waitForTimeout(500);
    const figures = async (): Promise<string> => (await fetch(`${server.address}/metrics`)).text();
    await expect.poll(figures).toMatch(/^yoco_connections 1$/m);
    expect(problems).toEqual([]);
  });

  it('shows the error of a source until it plays again', async () => {
    const kitchen = live.stream('kitchen');
    kitchen.error = { code: 'source_unreachable', message: 'The source cannot be reached.' };
    kitchen.state = 'reconnecting';
    await connect();
    const state = page.locator('#fact-state');
    await expect.poll(() => state.textContent()).toBe('reconnecting: The source cannot be reached.');
    kitchen.state = 'playing';
    kitchen.changed();
    await expect.poll(() => state.textContent()).toBe('playing');
  });

  it('says for how long a camera has sent the same picture', async () => {
    const kitchen = live.stream('kitchen');
    kitchen.lastMs = 400_000;
    kitchen.unchangedMs = 330_000;
    await connect();
    const state = page.locator('#fact-state');
    await expect.poll(() => state.textContent()).toBe('playing, picture unchanged for 5 min');
    kitchen.unchangedMs = 0;
    kitchen.tick(400_500);
    await expect.poll(() => state.textContent()).toBe('playing');
  });

  it('stops an answer that the service has not yet confirmed, and keeps the focus', async () => {
    // Events of the service arrive late.
    await page.routeWebSocket('**/v1/realtime?**', (socket) => {
      const service = socket.connectToServer();
      service.onMessage((message) => {
        setTimeout(() => {
          socket.send(message);
        }, 300);
      });
    });
    await connect();
    const card = await ask('endless');
    await card.getByRole('button', { name: 'Stop' }).focus();
    await page.keyboard.press('Enter');
    await card.getByText('stopped').waitFor();
    expect(await page.locator(':focus').textContent()).toBe('Ask again now');
    await expect.poll(() => live.stream('kitchen').aborted).toBe(1);
  });

  it('says why all streams cannot be asked at once when more have frames than one question reads', async () => {
    for (const name of ['hall', 'yard']) live.streams.set(name, new FakeStream(name));
    await connect();
    expect(await page.getByLabel('All streams (up to 3)').isDisabled()).toBe(true);
    expect(await page.locator('#all-choice').getAttribute('title')).toContain('up to 3 streams, and 4 have frames');
  });

  it('shows no times for a stream without frames, not even those of the previous stream', async () => {
    await connect();
    await expect.poll(() => page.locator('#last').textContent()).toBe('1:00');
    const empty = await live.create({ name: 'porch', source: { push: true } });
    await page.reload();
    await page.getByLabel('Stream', { exact: true }).selectOption(empty.name);
    await expect.poll(() => page.locator('#last').textContent()).toBe('–:––');
    expect(await page.locator('#first').textContent()).toBe('–:––');
  });

  it('asks all streams at once: each piece of evidence names its stream and shows its picture', async () => {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    live.stream('door').startedAtMs -= 5_000;
    await page.getByLabel('All streams').check();
    await page.locator('#question').fill('Which camera shows the dog?');
    await page.keyboard.press('Enter');
    const card = page.locator('.answer').first();
    await card.locator('.evidence img').nth(3).waitFor();
    const names = await card.locator('.evidence .name').allTextContents();
    expect(names).toEqual(['door', 'door', 'kitchen', 'kitchen']);
    expect(await card.locator('.figures').textContent()).toMatch(/^door, kitchen · as of .* · older frames rounded$/);
    expect(await page.locator('#marks i').count()).toBe(2); // only those of the selected stream
    await shoot('all-streams');

    await card.getByRole('button', { name: /^Evidence at door 0:50/ }).click();
    await page.locator('#frame-dialog img[src]').waitFor();
    expect(await page.locator('#frame-title').textContent()).toBe('door at 0:50 – 0:52');
    await page.getByRole('button', { name: 'Ask as of this moment' }).click();
    expect(await page.getByLabel('Stream', { exact: true }).inputValue()).toBe('door');
    expect(await page.locator('#when').textContent()).toBe('as of 0:51');
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.locator('#question').fill('And then?');
    await page.keyboard.press('Enter');
    await page.locator('.answer').first().locator('.evidence .name').first().waitFor();
    const asked = live.stream('door').asked.at(-1);
    // 51 s on the clock of `door`, which began five seconds before that of `kitchen`.
    expect(asked?.options.asOfWallMs).toBe(live.stream('kitchen').startedAtMs + 46_000);
    expect(problems).toEqual([]);
  });

  it('asks a card of another stream again about that stream, and keeps the typed text', async () => {
    await connect();
    const first = await ask('What is on the table?');
    await first.getByText('You asked').waitFor();
    await page.getByLabel('Stream', { exact: true }).selectOption('door');
    await page.getByText('Connected', { exact: true }).waitFor();
    await expect.poll(() => page.locator('#fact-source').textContent()).toBe('push');
    await page.locator('#question').fill('Did it');
    await first.getByRole('button', { name: 'Ask again now' }).click();
    await expect.poll(() => page.locator('.answer').count()).toBe(2);
    await page
      .locator('.answer')
      .first()
      .locator('.figures', { hasText: /^kitchen · as of/ })
      .waitFor();
    expect(live.stream('kitchen').asked).toHaveLength(2);
    expect(live.stream('door').asked).toHaveLength(0);
    expect(await page.getByLabel('Stream', { exact: true }).inputValue()).toBe('door');
    expect(await page.locator('#question').inputValue()).toBe('Did it');
    // The next question is about the selected stream.
    await (await ask('Did it ring?')).locator('.figures', { hasText: /^door · as of/ }).waitFor();
    expect(problems).toEqual([]);
  });

  it('is live at the right end of the slider, even if the newest frame lies between two steps', async () => {
    live.stream('kitchen').lastMs = 60_450;
    await connect();
    const [slider, when] = [page.locator('#moment'), page.locator('#when')];
    await expect.poll(() => slider.inputValue()).toBe('60');
    await slider.press('ArrowLeft');
    expect(await when.textContent()).toBe('as of 0:59.5');
    await slider.press('ArrowRight');
    expect(await when.textContent()).toBe('as of now');
    await slider.press('Home');
    expect(await when.textContent()).toBe('as of 0:00');
    await slider.press('End');
    expect(await when.textContent()).toBe('as of now');
  });

  it('stops an answer, shows an error in its card, and keeps several in flight', async () => {
    await page.goto(`${server.address}/?stream=door`);
    await page.getByText('Connected', { exact: true }).waitFor();
    for (const question of ['endless one', 'endless two', 'throw too_many_questions']) {
      await page.locator('#question').fill(question);
      await page.keyboard.press('Enter');
    }
    await page.getByText('Too many questions are waiting.').first().waitFor();
    await page.locator('.answer').nth(2).getByText('word3').waitFor();
    // By keyboard: under a pointer the button moves whenever the growing answer above it needs another line.
    await page.locator('.answer').nth(1).getByRole('button', { name: 'Stop' }).press('Enter');
    await page.locator('.answer').nth(1).getByText('stopped').waitFor();
    expect(await page.locator('.answer').nth(2).getByRole('button', { name: 'Stop' }).isVisible()).toBe(true);
    expect(problems).toEqual([]);
  });

  it('keeps earlier turns for follow-ups only', async () => {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    for (const [question, turn, followUp] of [
      ['first', 1, false],
      ['second', 2, true],
      ['third', 3, true],
      ['another', 1, false],
    ] as const) {
      await page.getByLabel('Follow-up').setChecked(followUp);
      await page.locator('#question').fill(question);
      await page.keyboard.press('Enter');
      await page.getByText(`You asked: ${question} (turn ${turn})`, { exact: true }).waitFor();
    }
    expect(problems).toEqual([]);
  });

  it('adds and removes a stream', async () => {
    page.on('dialog', (dialog) => void dialog.accept());
    await page.goto(`${server.address}/`);
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.getByLabel('Name').fill('yard');
    await page.getByLabel('Address of the camera or video').fill('http://forbidden.example/a');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('The source is not allowed by the configuration.').waitFor();
    await shoot('add');
    await page.getByLabel('Address of the camera or video').fill('rtsp://10.0.0.9/live');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Add a stream' }).click();
    expect(await page.locator('#add-problem').textContent()).toBe('');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await expect.poll(() => page.getByLabel('Stream', { exact: true }).inputValue()).toBe('yard');
    await page.getByRole('button', { name: 'Remove this stream' }).click();
    await expect.poll(() => live.streams.has('yard')).toBe(false);
    await expect.poll(() => page.getByLabel('Stream', { exact: true }).inputValue()).toBe('kitchen');
  });

  it('streams from this device’s camera', async () => {
    await page.goto(`${server.address}/`);
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.getByRole('button', { name: 'Use my camera instead' }).click();
    const mine = (): FakeStream | undefined =>
      [...live.streams.values()].find(({ name }) => /^my-camera-[0-9a-f]{4}$/.test(name));
    await expect.poll(() => mine()?.lastMs ?? 0, { timeout: 15_000 }).toBeGreaterThan(500);
    await page.getByRole('button', { name: 'Stop my camera' }).click();
    expect(problems).toEqual([]);
  });

  it('opens this device’s camera once, even if its button is clicked twice', async () => {
    await page.goto(`${server.address}/`);
    await page.evaluate(`
      window.opened = [];
      const devices = navigator.mediaDevices;
      const getUserMedia = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (constraints) => {
        const media = await getUserMedia(constraints);
        window.opened.push(...media.getTracks());
        return media;
      };
    `);
    await page.getByRole('button', { name: 'Add a stream' }).click();
    // Both clicks come before the camera is open.
    await page.evaluate(`for (let i = 0; i < 2; i++) document.getElementById('use-camera').click()`);
    await page.getByRole('button', { name: 'Stop my camera' }).click();
    expect(await page.evaluate('opened.map((track) => track.readyState)')).toEqual(['ended']);
    expect(await page.locator('#camera-problem').textContent()).toBe('');
    expect(problems).toEqual([]);
  });

  it('stops its camera, and says why, when the stream is deleted elsewhere', async () => {
    await page.goto(`${server.address}/`);
    await page.getByRole('button', { name: 'Add a stream' }).click();
    await page.getByRole('button', { name: 'Use my camera instead' }).click();
    await page.getByRole('button', { name: 'Stop my camera' }).waitFor();
    const chosen = (): Promise<string> => page.getByLabel('Stream', { exact: true }).inputValue();
    // The page selects the camera's stream once the list contains it.
    await expect.poll(chosen).not.toBe('kitchen');
    await live.delete(await chosen());
    await page.getByRole('button', { name: 'Stop my camera' }).waitFor({ state: 'hidden', timeout: 20_000 });
    await page.getByText('My camera has stopped: The stream was deleted').waitFor();
    await expect.poll(chosen).toBe('kitchen');
  });

  it('follows a stream that is deleted and recreated, and the first stream of an empty service', async () => {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    const camera = { source: { url: 'rtsp://10.0.0.9/live' } };
    await live.delete('kitchen');
    await live.create({ name: 'kitchen', ...camera });
    await expect.poll(() => live.stream('kitchen').listeners).toBeGreaterThan(0);
    for (const { name } of live.list()) await live.delete(name);
    await page.getByText('No stream yet.').waitFor();
    expect(await page.locator('#fact-source').textContent()).toBe('–');
    await live.create({ name: 'porch', ...camera });
    await page.getByText('Connected', { exact: true }).waitFor();
    expect(await page.getByLabel('Stream', { exact: true }).inputValue()).toBe('porch');
    // A picture of the deleted stream may have been requested just before.
    expect(problems.filter((text) => !text.includes('404'))).toEqual([]);
  });

  it('shows another stream when the list, as it is opened, no longer has the one that is shown', async () => {
    await connect();
    const shown = await page.locator('#stream').inputValue();
    await page.route('**/v1/streams', async (route) => {
      const response = await route.fetch();
      const json = (await response.json()) as { data: { name: string }[] };
      await route.fulfill({ response, json: { ...json, data: json.data.filter(({ name }) => name !== shown) } });
    });
    await page.locator('#stream').focus();
    await expect.poll(() => page.locator('#stream').inputValue()).not.toBe(shown);
    expect(await page.title()).toBe(`${await page.locator('#stream').inputValue()} – yoco-live`);
    expect(problems).toEqual([]);
  });

  it('reconnects after the service was away', async () => {
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    const { port } = server;
    await server.close();
    await page.getByText('trying again').waitFor();
    expect(await page.getByRole('button', { name: 'Ask', exact: true }).isDisabled()).toBe(true);
    server = await startServer(live, { port, drainMs: 0 });
    await page.getByText('Connected', { exact: true }).waitFor();
  });

  it('keeps asking: shows each new answer with its time, resumes after the service was away, and stops', async () => {
    const kitchen = live.stream('kitchen');
    kitchen.says = 'no';
    await page.goto(`${server.address}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.getByLabel('Keep asking').check();
    await page.locator('#question').fill('Is there a person?');
    await page.keyboard.press('Enter');
    const card = page.locator('.answer').first();
    await expect.poll(() => card.locator('.text').textContent()).toBe('no');
    expect(await card.locator('.evidence .span').count()).toBe(2);
    kitchen.says = 'yes';
    kitchen.tick(61_000);
    await expect.poll(() => card.locator('.text').textContent()).toBe('yes');
    const changes = card.locator('.changes li');
    expect(await changes.allTextContents()).toEqual([
      expect.stringMatching(/\(1:01\) yes$/),
      expect.stringMatching(/\(1:00\) no$/),
    ]);
    expect(await page.locator('#announce').textContent()).toBe('Is there a person? yes');
    await shoot('standing');

    await server.close();
    await card.getByText('goes on when the connection is back').waitFor();
    server = await startServer(live, { port: Number(new URL(server.address).port), drainMs: 0 });
    await page.getByText('Connected', { exact: true }).waitFor();
    kitchen.says = 'no';
    kitchen.tick(62_000);
    await expect.poll(() => card.locator('.text').textContent()).toBe('no');
    expect(await changes.count()).toBe(3);

    await card.getByRole('button', { name: 'Stop' }).click();
    await card.getByText('stopped').waitFor();
    // Once this later question is answered, the service has received the stop.
    await page.getByLabel('Keep asking').uncheck();
    await (await ask('And now?')).getByText('no', { exact: true }).waitFor();
    const before = kitchen.asked.length;
    kitchen.tick(63_000);
    await page.waitForTimeout(2_500);
    expect(kitchen.asked).toHaveLength(before);
  });

  it('resumes standing questions after a lost connection, and neither lists nor announces an unchanged answer', async () => {
    const [kitchen, door] = [live.stream('kitchen'), live.stream('door')];
    kitchen.says = 'no one';
    [door.firstMs, door.lastMs] = [null, null];
    await connect();
    const answered = await keepAsking('Is there a person?');
    await answered.getByText('no one', { exact: true }).waitFor();
    await page.getByLabel('Stream', { exact: true }).selectOption('door');
    await page.getByText('Connected', { exact: true }).waitFor();
    const waiting = await keepAsking('Did it ring?');
    await waiting.getByText('door · asked again as new frames come').waitFor();
    expect(await answered.locator('.figures').textContent()).toMatch(
      /^kitchen · since .*\(1:00\), asked again as new frames come · confidence 0\.75$/,
    );
    await page.getByLabel('Stream', { exact: true }).selectOption('kitchen');
    await page.getByText('Connected', { exact: true }).waitFor();
    await (await ask('What is it?')).getByText('no one', { exact: true }).waitFor();
    await expect.poll(announced).toBe('What is it? no one');

    await server.close();
    await answered.getByText('goes on when the connection is back').waitFor();
    kitchen.says = 'No  one';
    kitchen.tick(61_000);
    server = await startServer(live, { port: Number(new URL(server.address).port), drainMs: 0 });
    await waiting.getByText('door · asked again as new frames come').waitFor();
    await expect.poll(() => kitchen.asked.length).toBe(5); // on each of four connections, and "What is it?"
    await expect.poll(() => answered.locator('.figures').textContent()).toMatch(/since .*\(1:00\), asked again/);
    await page.waitForTimeout(200);
    expect(await answered.locator('.text').textContent()).toBe('no one');
    expect(await answered.locator('.changes li').count()).toBe(1);
    expect(await announced()).toBe('What is it? no one');
  });

  it('keeps a standing question that a draining service refuses, and asks it on the next connection', async () => {
    await server.close();
    server = await startServer(live, { port: 0, drainMs: 20_000 });
    await connect();
    const before = await keepAsking('Is it day?');
    await before.getByText('asked again as new frames come').waitFor();
    const endless = await ask('endless one');
    await endless.getByText('word3').waitFor();
    const closed = server.close();
    await page.getByText('The service is restarting').waitFor();
    expect(await before.locator('.figures').textContent()).toBe('kitchen · goes on when the connection is back');
    const card = await keepAsking('Is there a person?');
    await card.getByText('goes on when the connection is back').waitFor();
    await endless.getByRole('button', { name: 'Stop' }).click();
    await closed;
    server = await startServer(live, { port: Number(new URL(server.address).port), drainMs: 0 });
    await card.getByText('You asked: Is there a person?').first().waitFor();
    await before.getByText('asked again as new frames come').waitFor();
  });

  it('keeps the focus and the marks of the timeline when a standing answer changes', async () => {
    const [kitchen, door] = [live.stream('kitchen'), live.stream('door')];
    await connect();
    await page.getByLabel('Moment to look at and ask about').fill('30');
    const past = await ask('What was it?');
    await past.locator('.evidence button').nth(1).waitFor();
    await page.getByLabel('All streams').check();
    const card = await keepAsking('Is there a person?');
    const evidence = card.locator('.evidence button');
    await evidence.nth(3).waitFor();

    await evidence.nth(3).focus();
    await past.hover();
    const firstMark = async (): Promise<number> =>
      Number(/left: ([\d.]+)/.exec((await page.locator('#marks i').first().getAttribute('style')) ?? '')?.[1]);
    expect(await firstMark()).toBeLessThan(50);
    door.says = 'yes';
    kitchen.tick(61_000);
    await card.getByText('yes', { exact: true }).waitFor();
    expect(await page.locator(':focus').getAttribute('aria-label')).toContain('Evidence at kitchen 1:00 – 1:01');
    expect(await firstMark()).toBeLessThan(50);

    kitchen.says = 'no';
    await live.delete('door');
    await card.getByText('no', { exact: true }).waitFor();
    expect(await evidence.count()).toBe(2);
    expect(await page.locator(':focus').textContent()).toBe('Stop');
  });

  it('drops the oldest of many answers, but no question that is still asked', async () => {
    await connect();
    const card = await keepAsking('Is there a person?');
    await card.getByText('You asked').first().waitFor();
    await page.evaluate(`for (let i = 0; i < 60; i++) document.querySelector('#ideas button').click()`);
    await expect.poll(() => page.getByRole('button', { name: 'Stop' }).count()).toBe(1);
    await ask('And now?');
    await expect.poll(() => page.locator('.answer').count()).toBe(50);
    expect(await page.locator('.answer').last().locator('h3').textContent()).toBe('Is there a person?');
    expect(await card.getByRole('button', { name: 'Stop' }).isVisible()).toBe(true);
  });

  it('asks from now on while “Keep asking” is checked, whatever moment is shown', async () => {
    await connect();
    const when = page.locator('#when');
    await page.getByLabel('Moment to look at and ask about').fill('12');
    await page.getByLabel('Keep asking').check();
    expect(await when.textContent()).toBe('from now on');
    expect(await when.getAttribute('data-past')).toBe('false');
    await page.getByRole('button', { name: 'When did the dog appear?' }).click();
    await page.getByText('kitchen · since').waitFor();
    expect(live.stream('kitchen').asked.at(-1)?.options.asOfMs).toBeUndefined();

    await page.getByLabel('Keep asking').uncheck();
    expect(await when.textContent()).toBe('as of 0:12');
    expect(await when.getAttribute('data-past')).toBe('true');
    await page.getByLabel('Keep asking').check();
    await page
      .locator('.answer')
      .getByRole('button', { name: /^Evidence/ })
      .last()
      .click();
    await page.getByRole('button', { name: 'Ask as of this moment' }).click();
    expect(await when.textContent()).toBe('as of 0:59.5');
  });

  it('shows the date of a standing answer of another day, that it was cut, and that the video has ended', async () => {
    const kitchen = live.stream('kitchen');
    await page.clock.install({ time: '2030-01-01T00:01:00Z' });
    kitchen.says = 'no';
    await connect();
    const card = await keepAsking('Is there a person?');
    await card.getByText('no', { exact: true }).waitFor();
    const [change, figures] = [card.locator('.changes li').last(), card.locator('.figures')];
    const today = await change.textContent();
    await page.clock.fastForward('48:00:00');
    await expect.poll(() => change.textContent()).not.toBe(today);
    expect(await change.textContent()).toMatch(/\b(20)?30\b.* \(1:00\) no$/);
    expect(await figures.textContent()).toMatch(/since .*\b(20)?30\b.* \(1:00\), asked again as new frames come · /);

    kitchen.says = 'one and';
    kitchen.finish = 'length';
    kitchen.tick(61_000);
    await figures.getByText('asked again as new frames come · confidence 0.75 · cut at the length limit').waitFor();
    kitchen.state = 'ended';
    kitchen.changed();
    await figures.getByText('kitchen · the video has ended', { exact: true }).waitFor();
    expect(await announced()).toBe('Is there a person? The video has ended.');
    expect(await card.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false);
  });

  it('asks for a key where the service requires one', async () => {
    const locked = await startServer(live, { port: 0, apiKeys: [KEY], drainMs: 0 });
    await page.goto(`${locked.address}/`);
    await page.locator('#key-dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#key-dialog').waitFor({ state: 'hidden' });
    expect(await page.locator('#blank').textContent()).toBe('A key is needed');
    expect(await page.locator('#badge').textContent()).toBe('Waiting');
    await page.getByRole('button', { name: 'Key', exact: true }).click();
    await page.getByLabel('API key').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('That key is not accepted.').waitFor();
    await page.getByLabel('API key').fill(KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.locator('#picture').waitFor();
    expect(page.url()).not.toContain(KEY);
    await locked.close();
  });

  it('stays connected with its key when another is rejected and the dialog is closed', async () => {
    const locked = await startServer(live, { port: 0, apiKeys: [KEY], drainMs: 0 });
    await page.goto(`${locked.address}/`);
    await page.getByLabel('API key').fill(KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Connected', { exact: true }).waitFor();
    const button = page.getByRole('button', { name: 'Key', exact: true });
    await button.click();
    await page.getByLabel('API key').fill('mistyped');
    await page.keyboard.press('Enter');
    await page.getByText('That key is not accepted.').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#key-dialog').waitFor({ state: 'hidden' });
    expect(await page.locator('#connection').textContent()).toBe('Connected');
    expect(await page.evaluate(`sessionStorage.getItem('yoco-live-key')`)).toBe(KEY);
    await (await ask('What is on the table?')).getByText('You asked: What is on the table?').first().waitFor();
    await locked.close();
  });

  it('works when the browser blocks storage', async () => {
    await page.addInitScript(`for (const name of ['localStorage', 'sessionStorage'])
      Object.defineProperty(window, name, { get() { throw new DOMException('blocked', 'SecurityError'); } });`);
    const locked = await startServer(live, { port: 0, apiKeys: [KEY], drainMs: 0 });
    await page.goto(`${locked.address}/`);
    await page.getByLabel('API key').fill(KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.locator('#picture').waitFor();
    await locked.close();
  });

  it('shows no picture for a moment of which none is kept, even when new frames arrive', async () => {
    await connect();
    await page.locator('#picture').waitFor();
    live.stream('kitchen').picturesFromMs = 50_000;
    await page.locator('#moment').fill('10');
    await page.locator('#picture').waitFor({ state: 'hidden' });
    expect(await page.locator('#blank').textContent()).toContain('The time lies outside');
    live.stream('kitchen').tick(75_000);
    await expect.poll(() => page.locator('#last').textContent()).toBe('1:15');
    expect(await page.locator('#picture').isVisible()).toBe(false);
    await page.locator('#to-live').click();
    await page.locator('#picture').waitFor();
    expect(await page.locator('#blank').textContent()).toBe('');
  });

  it('shows the moment of evidence from another stream, even one created after the page was loaded', async () => {
    await connect();
    const attic = await live.create({ name: 'attic', source: { url: 'rtsp://10.0.0.9/live' } });
    await page.getByLabel('All streams').check();
    const card = await ask('Where is it?');
    const evidence = card.locator('.evidence button').filter({ hasText: 'attic' }).first();
    await evidence.click();
    await page.getByRole('button', { name: 'Ask as of this moment' }).click();
    await page.locator('#picture').waitFor();
    expect(await page.locator('#stream').inputValue()).toBe('attic');
    expect(await page.locator('#badge').textContent()).toBe('Past');
    expect(attic.listeners).toBeGreaterThan(0);
    expect(problems).toEqual([]);
  });

  it('shows the standing questions of the stream’s file, with their answers', async () => {
    const kitchen = live.stream('kitchen');
    kitchen.standingQuestions = [{ question: 'is there a dog?', every: 0.5, holds: 1, min_confidence: 0 }];
    kitchen.says = 'no';
    server.syncStandingQuestions(kitchen);
    await connect();
    const filed = page.locator('#filed');
    /** The text after one more frame, with which the page fetches the questions again. */
    const shown = (): Promise<string | null> => {
      kitchen.tick((kitchen.lastMs ?? 0) + 500);
      return filed.textContent();
    };
    await expect
      .poll(shown, { timeout: 20_000, interval: 500 })
      .toMatch(/is there a dog\? no · since .*:\d\d.* · confidence 0\.75/);
    await filed.getByText('Answers').click();
    await filed.locator('summary').focus();
    expect(await filed.locator('li li').allTextContents()).toEqual([expect.stringMatching(/ no · confidence 0\.75$/)]);
    kitchen.says = 'yes';
    kitchen.confidence = 0.41;
    await expect
      .poll(shown, { timeout: 20_000, interval: 500 })
      .toMatch(/is there a dog\? yes · since .*:\d\d.* · confidence 0\.41, a guess/);
    // The list stays open, and the focus stays in place.
    expect(await filed.locator('li li:visible').allTextContents()).toEqual([
      expect.stringMatching(/ yes · confidence 0\.41, a guess$/),
      expect.stringMatching(/ no · confidence 0\.75$/),
    ]);
    expect(await page.locator(':focus').textContent()).toBe('Answers');
    await shoot('filed');
    await page.locator('#stream').selectOption('door');
    await filed.waitFor({ state: 'hidden' });
    expect(problems).toEqual([]);
  });

  it('shows streams and answers with a view key, but no controls that change streams', async () => {
    const locked = await startServer(live, { port: 0, apiKeys: [KEY], viewKeys: [VIEW_KEY], drainMs: 0 });
    const enter = async (key: string): Promise<void> => {
      await page.getByLabel('API key').fill(key);
      await page.keyboard.press('Enter');
      await page.getByText('Connected', { exact: true }).waitFor();
    };
    await page.goto(`${locked.address}/`);
    await enter(VIEW_KEY);
    await page.locator('#picture').waitFor();
    const changes = ['Add a stream', 'Remove this stream'].map((name) => page.getByRole('button', { name }));
    for (const button of changes) expect(await button.isVisible()).toBe(false);
    await (await ask('What is on the table?')).getByText('You asked: What is on the table?').first().waitFor();
    await (await keepAsking('Is there a dog?')).getByText('You asked: Is there a dog?').first().waitFor();
    await page.getByRole('button', { name: 'Key', exact: true }).click();
    await enter(KEY);
    for (const button of changes) await button.waitFor();
    await locked.close();
  });

  it('shows the description of the stream, and its name in the page title', async () => {
    live.stream('kitchen').description = 'The one with the window';
    await connect();
    const description = page.locator('#description');
    await description.getByText('The one with the window').waitFor();
    expect(await page.title()).toBe('kitchen – yoco-live');
    expect(await page.locator('#stream option').first().getAttribute('title')).toBe('The one with the window');
    await page.getByLabel('Stream', { exact: true }).selectOption('door');
    await description.waitFor({ state: 'hidden' });
    expect(await page.title()).toBe('door – yoco-live');
  });

  it('says that the stream of a link does not exist, until another is selected', async () => {
    await page.goto(`${server.address}/?stream=nosuch`);
    await page.getByText('There is no stream “nosuch”.').waitFor();
    await page.getByText('Connected', { exact: true }).waitFor();
    expect(await page.getByLabel('Stream', { exact: true }).inputValue()).toBe('kitchen');
    await page.getByLabel('Stream', { exact: true }).selectOption('door');
    expect(await page.locator('#link-problem').textContent()).toBe('');
    // The deletion of the selected stream is no problem of the link.
    await live.delete('door');
    await expect.poll(() => page.getByLabel('Stream', { exact: true }).inputValue()).toBe('kitchen');
    expect(await page.locator('#link-problem').textContent()).toBe('');
  });

  it('scrolls to everything under the picture in a low window, however many answers there are', async () => {
    await page.setViewportSize({ width: 1280, height: 560 });
    await connect();
    for (let i = 0; i < 8; i++) await ask(`What is ${i}?`);
    await expect.poll(() => page.locator('.answer[data-state=done]').count()).toBe(8);
    const button = page.getByRole('button', { name: 'Remove this stream' });
    const bottom = async (): Promise<number> => {
      const box = await button.boundingBox();
      return (box?.y ?? Infinity) + (box?.height ?? 0);
    };
    expect(await bottom()).toBeGreaterThan(560);
    const [screen, timeline] = [await page.locator('#screen').boundingBox(), page.locator('.timeline')];
    const screenEnd = (screen?.y ?? Infinity) + (screen?.height ?? 0);
    expect((await timeline.boundingBox())?.y).toBeGreaterThanOrEqual(screenEnd);
    await page.locator('#screen').hover();
    await page.mouse.wheel(0, 400);
    await expect.poll(bottom).toBeLessThanOrEqual(560);
    await shoot('low');
    await page.setViewportSize({ width: 1280, height: 860 });
  });

  it('fits a narrow window in light and dark, and gives every control a name', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    const longest = 'a'.repeat(64);
    live.streams.set(longest, new FakeStream(longest));
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.goto(`${server.address}/?stream=${longest}`);
      await page.getByText('Connected', { exact: true }).waitFor();
      await page.locator('#question').fill('What is here?');
      await page.keyboard.press('Enter');
      await page.locator('.answer .evidence img').first().waitFor();
      await page.locator('.figures', { hasText: 'confidence' }).waitFor();
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow).toBe(0);
      await shoot(`narrow-${colorScheme}`);
    }
    const nameless = await page.evaluate(`[...document.querySelectorAll('button, input, select, textarea')]
      .filter((control) => !(control.textContent.trim() || control.labels?.length || control.ariaLabel))
      .map((control) => control.outerHTML)`);
    expect(nameless).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 860 });
    await shoot('wide-dark');
  });
});
