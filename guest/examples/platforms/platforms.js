// A frontend in JavaScript: for which platforms is an image there?
//
// It reads indexes, and of each image the config, where its platform stands for certain. Which root a name in a store means
// is the strategy's judgement.
//
// `docs/writing-a-frontend.md` says how it is built and run.

import { fetch, prefetch } from 'portolan:oci/fetcher@0.1.0';
import { entries, resolve } from 'portolan:oci/resolver@0.1.0';
import { matchName } from 'portolan:oci/strategy@0.1.0';

const INDEXES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFESTS = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
// Deeper than any tool nests. The host bounds what a run may read; this bounds what a person waits for.
const DEEPEST = 8;

// What the world asks a component to export: the interface `frontend`.
export const frontend = {
  describe() {
    return {
      name: 'platforms',
      version: '1.0.0',
      summary: 'List the platforms that an image is there for',
      parameters: [
        parameter('ref', { tag: 'pull-reference' }, 'The image', { required: true, positional: true }),
        parameter('wanted', { tag: 'text' }, 'Fail where it is not there for this platform', { short: 'w' }),
      ],
      formats: ['text', 'json'],
    };
  },

  solve({ arguments: given }) {
    // A request has what was given, in the order given: nothing is repeated here, so the last one counts.
    const { ref, wanted, mode = 'strict', format = 'text' } = Object.fromEntries(given);
    try {
      const { repository, descriptor } = find(ref, mode);
      const found = [...new Set(platforms(repository, descriptor))];
      // What a store is called is percent-encoded, so that it fits into a reference.
      const reference = decodeURIComponent(ref);
      if (wanted !== undefined && !found.includes(wanted)) {
        throw notFound(`${reference} is not there for ${wanted}`, `it is there for ${found.join(', ')}`);
      }
      const text = format === 'json' ? JSON.stringify({ reference, platforms: found }, null, 2) : found.join('\n');
      return {
        status: 0,
        mediaType: format === 'json' ? 'application/json' : 'text/plain',
        body: { tag: 'text', val: `${text}\n` },
        metadata: [['image.digest', descriptor.digest]],
      };
    } catch (error) {
      // What the host answers comes as a payload with a code; the code of a cause decides the command's exit status.
      if (error?.payload?.code !== undefined) {
        throw { message: error.payload.message, cause: error.payload };
      }
      throw error;
    }
  },
};

function parameter(name, kind, help, { short, required = false, positional = false }) {
  return { name, short, kind, help, default: undefined, required, repeated: false, positional };
}

// What the reference means now. A registry knows its names; those in a store are a judgement on its entries.
function find(reference, mode) {
  const inStore = /^(?!docker:|oci:)([a-z-]+:\/\/[^/:@]+)([^@]*)(@.*)?$/.exec(reference);
  const [, store, name, digest] = inStore ?? [];
  if (!inStore || (digest && !name)) {
    return resolve(reference);
  }
  const { repository, descriptor } = entries(store);
  const listed = fetch(repository, descriptor);
  const { manifests } = parse(listed);
  const named = Array.from(matchName(listed, name, mode), (position) => manifests[position]);
  // One image may have several names.
  const roots = new Map(named.map((entry) => [entry.digest, entry]));
  const meant = [...roots.values()].filter((entry) => !digest || digest === `@${entry.digest}`);
  if (meant.length === 0) {
    throw notFound(`nothing in ${decodeURIComponent(store)} is called ${name.slice(1) || 'latest'}`);
  }
  if (meant.length > 1) {
    throw { message: `${decodeURIComponent(reference)} may be each of ${[...roots.keys()].join(', ')}`, hint: 'name one by @DIGEST' };
  }
  return { repository, descriptor: descriptorOf(meant[0]) };
}

function* platforms(repository, descriptor, depth = 0) {
  if (INDEXES.has(descriptor.mediaType)) {
    if (depth === DEEPEST) {
      throw { message: `${descriptor.digest} is an index ${DEEPEST} levels deep` };
    }
    const below = document(repository, descriptor).manifests.filter(isImage).map(descriptorOf);
    // The host reads them side by side, while we take one after the other.
    prefetch(repository, below);
    for (const entry of below) {
      yield* platforms(repository, entry, depth + 1);
    }
  } else if (MANIFESTS.has(descriptor.mediaType)) {
    const { os, architecture, variant } = document(repository, descriptorOf(document(repository, descriptor).config));
    if (os && architecture) {
      yield [os, architecture, variant].filter(Boolean).join('/');
    }
  }
}

// BuildKit lists attestations beside the images that they are about.
function isImage({ annotations = {} }) {
  return annotations['vnd.docker.reference.type'] === undefined;
}

// Verified by the host: these bytes have this digest.
function document(repository, descriptor) {
  return parse(fetch(repository, descriptor));
}

function parse(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function descriptorOf({ mediaType, digest, size }) {
  return { mediaType, digest, size: BigInt(size) };
}

function notFound(message, hint) {
  return { message, hint, cause: { code: 'not-found', message } };
}
