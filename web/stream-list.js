/** The list of streams: loads it, selects a stream of it, and removes one. */
import { deleteStream, listStreams } from './api.js';
import { $ } from './elements.js';
import { element } from './format.js';

/** Interval of looking for a first stream, ms. */
const RELOAD_STREAMS_MS = 5_000;
/** Delay of trying again when the list could not be loaded, ms. */
const RETRY_MS = 2_000;

export class StreamList {
  #realtime;
  #shown;
  #composer;
  #connection;
  #keyDialog;
  #onRemoved;
  #reloadTimer = 0;
  /** How often the list was loaded: an older load must not undo what a newer one has shown. */
  #loads = 0;
  /** The stream to select once the list is loaded. */
  #wanted;
  /** The stream that the page's address named when it was opened; null once a stream has been selected. */
  #linked = streamOfAddress();

  /** `onRemoved`: called with the name of a stream that was removed here. */
  constructor({ realtime, shown, composer, connection, keyDialog, onRemoved }) {
    this.#realtime = realtime;
    this.#shown = shown;
    this.#composer = composer;
    this.#connection = connection;
    this.#keyDialog = keyDialog;
    this.#onRemoved = onRemoved;
    $('stream').addEventListener('change', () => {
      $('link-problem').textContent = '';
      this.select(this.selected);
    });
    $('stream').addEventListener('focus', () => void this.#refreshNames());
    $('remove-stream').addEventListener('click', () => void this.#remove(this.selected));
  }

  /** Name of the selected stream; empty if there is none. */
  get selected() {
    return $('stream').value;
  }

  /**
   * Loads the list and selects a stream: `wanted` if it exists. `previousKey`: the key that a newly typed one replaced;
   * restored if the new one is refused.
   */
  async load(wanted = this.#wanted, previousKey) {
    clearTimeout(this.#reloadTimer);
    this.#wanted = wanted;
    const number = ++this.#loads;
    let data, bundle, mayChange;
    try {
      ({ data, bundle, may_change: mayChange } = await listStreams());
    } catch (error) {
      if (error.status === 401) {
        this.#keyDialog.ask(previousKey);
      } else if (number === this.#loads) {
        this.#connection.show('waiting');
        this.#reloadTimer = setTimeout(() => void this.load(wanted, previousKey), RETRY_MS);
      }
      return;
    }
    if (number !== this.#loads) return;
    this.#wanted = undefined;
    this.#keyDialog.accept();
    // A view key may only read and ask.
    $('add-stream').hidden = $('remove-stream').hidden = !mayChange;
    const candidates = [wanted, streamOfAddress(), this.selected, data[0]?.name];
    this.#listNames(data, bundle);
    const exists = (candidate) => data.some((stream) => stream.name === candidate);
    const name = candidates.find(exists);
    $('link-problem').textContent =
      this.#linked && !exists(this.#linked) ? `There is no stream “${this.#linked.slice(0, 64)}”.` : '';
    if (name !== undefined) this.#linked = null;
    if (name === undefined) this.#selectNone();
    else this.select(name);
  }

  /** Shows the stream `name` and connects to it. */
  select(name) {
    const listed = [...$('stream').options].some(({ value }) => value === name);
    // The stream may be newer than the list.
    if (!listed) $('stream').append(element('option', { value: name, textContent: name }));
    $('stream').value = name;
    const address = new URL(location.href);
    address.searchParams.set('stream', name);
    history.replaceState(null, '', address);
    document.title = `${name} – yoco-live`;
    $('remove-stream').disabled = false;
    this.#shown.clear('Waiting for the first frame');
    this.#realtime.connect(name);
  }

  #selectNone() {
    document.title = 'yoco-live';
    this.#realtime.close();
    $('remove-stream').disabled = true;
    const hint = $('add-stream').hidden ? '' : ' Add a camera or a video by its address.';
    this.#shown.showNone(`No stream yet.${hint}`);
    this.#connection.show('closed', 'No stream');
    this.#reloadTimer = setTimeout(() => void this.load(), RELOAD_STREAMS_MS);
  }

  #listNames(streams, { streams_per_question: maxStreams }) {
    const chosen = this.selected;
    $('stream').replaceChildren(
      ...streams.map(({ name, description }) =>
        element('option', { value: name, textContent: name, title: description ?? '' }),
      ),
    );
    if (streams.some(({ name }) => name === chosen)) $('stream').value = chosen;
    this.#composer.offerAllStreams(streams, maxStreams);
  }

  /** Streams may be added and removed elsewhere. */
  async #refreshNames() {
    const { data, bundle } = await listStreams().catch(() => ({ data: null }));
    if (data === null) return;
    // The shown stream is gone: this loads the list once more, and shows another one.
    if (!data.some(({ name }) => name === this.selected)) return void (await this.load());
    const names = [...$('stream').options].map(({ value }) => value);
    if (data.map(({ name }) => name).join() !== names.join()) this.#listNames(data, bundle);
    else this.#composer.offerAllStreams(data, bundle.streams_per_question);
  }

  async #remove(name) {
    if (!confirm(`Remove the stream “${name}” and all that it remembers?`)) return;
    try {
      await deleteStream(name);
    } catch (error) {
      // A stream that is gone already is no error.
      if (error.status !== 404) {
        alert(`The stream “${name}” cannot be removed: ${error.message}`);
        return;
      }
    }
    this.#onRemoved(name);
    await this.load();
  }
}

/** Name of the stream in the page's address, or null. */
function streamOfAddress() {
  return new URLSearchParams(location.search).get('stream');
}
