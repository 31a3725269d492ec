import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// A development build can judge a simulated platform. A released one does not contain the code for it.
const development = process.env['SUBROSA_WEB_BUILD'] === 'development';

export default defineConfig({
  plugins: [svelte()],
  define: { __DEVELOPMENT__: JSON.stringify(development) },
  build: {
    target: 'es2022',
    // Everything is a file of its own: the page's policy allows no code or style within the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
