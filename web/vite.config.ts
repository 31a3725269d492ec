import { svelte } from '@sveltejs/vite-plugin-svelte';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// A development build can judge a simulated platform. A released one does not contain the code for it.
const development = process.env['SUBROSA_WEB_BUILD'] === 'development';

/** Makes the worker that keeps the page's files: it knows their names, and is another one when any of them is. */
function worker(): Plugin {
  return {
    name: 'subrosa-worker',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const version = createHash('sha256');
        const files = new Map(readdirSync('public').map((name) => [name, readFileSync(`public/${name}`)]));
        for (const [name, file] of Object.entries(bundle)) files.set(name, Buffer.from(file.type === 'asset' ? file.source : file.code));
        for (const [name, content] of [...files].sort()) version.update(`${name}\0`).update(createHash('sha256').update(content).digest());
        const names = ['/', ...[...files.keys()].filter((name) => name !== 'index.html').map((name) => `/${name}`)].sort();
        const source = readFileSync('worker.js', 'utf8')
          .replace('__FILES__', JSON.stringify(names))
          .replace('__VERSION__', version.digest('hex').slice(0, 16));
        this.emitFile({ type: 'asset', fileName: 'worker.js', source });
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), worker()],
  define: { __DEVELOPMENT__: JSON.stringify(development) },
  build: {
    target: 'es2022',
    // Everything is a file of its own: the page's policy allows no code or style within the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
