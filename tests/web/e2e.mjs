// The page in a browser, with the real edge, service and databases. node tests/web/e2e.mjs OUT [NAME]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axeSource, Device, Place, strFromU8, unzipSync } from './harness.mjs';
import { LoggedPlace } from './logged.mjs';

const [out, only = ''] = process.argv.slice(2);
const wanted = new RegExp(only);
const bin = join(process.env.CARGO_TARGET_DIR ?? 'target', 'debug/subrosa');
const shots = join(out, 'screenshots');
mkdirSync(shots, { recursive: true });

const tests = [];
/** A test with each database, or once with a transparency log. */
const test = (name, work, needs = 'store') => tests.push({ name, work, needs });

async function refused(device, code) {
  const problem = device.page.locator('[data-testid=breach], [data-testid=problem]').filter({ hasText: code });
  await problem.first().waitFor({ timeout: 15_000 });
}

async function accessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], what);
}

test('without an account: verified, asked, answered, and nothing is kept', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
  const answer = await device.askFor('What is the capital of France?');
  assert.deepEqual(device.errors, []);
  assert.match(answer, /Paris/);
  assert.ok(!place.seen.some((bytes) => bytes.includes('capital of France')), 'the question in clear');
  assert.ok(!place.seen.some((bytes) => bytes.includes('subrosa-session')));
  assert.deepEqual(await device.page.evaluate(() => indexedDB.databases()), []);
  assert.deepEqual(device.errors, []);
  await device.close();
});

test('an account: history after a reload, with the same passkey', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  const answer = await device.askFor('What is the capital of Italy?');
  assert.deepEqual(await device.conversations(), ['What is the capital of Italy?']);
  await device.page.reload();
  await device.button('Come in with a passkey').click();
  await device.page.getByRole('button', { name: 'What is the capital of Italy?', exact: true }).click();
  assert.equal(await device.page.getByTestId('assistant').locator('.text').innerText(), answer);
  assert.deepEqual(device.errors, []);
  await device.close();
});

test('no byte of a PRF, of a recovery code or of a text reaches the server, its database, its logs or its memory', async (place) => {
  const device = await Device.open(place);
  const words = await device.signUp();
  await device.askFor('canary-of-a-question');
  const outputs = await device.page.evaluate(() => window.prfOutputs);
  assert.ok(outputs.length > 0);
  const secrets = outputs.flatMap((bytes) => {
    const raw = Buffer.from(bytes);
    return [raw, raw.toString('base64url'), raw.toString('base64'), raw.toString('hex')];
  });
  await device.button('New folder').click();
  await device.page.getByLabel('Name', { exact: true }).fill('canary-of-a-name');
  await device.button('Save').click();
  await device.button('Change the folder: canary-of-a-name').waitFor();
  const canaries = ['canary-of-a-question', 'canary-of-a-name', words, words.split(' ').slice(0, 3).join(' ')];
  for (const bytes of [...place.seen, ...place.everything()]) {
    for (const secret of [...secrets, ...canaries, ...canaries.map((canary) => Buffer.from(canary, 'utf16le'))]) {
      assert.ok(!bytes.includes(secret), 'a secret in clear');
    }
  }
  // The search finds what is there: on the way, and in the edge's memory.
  assert.ok(place.seen.some((bytes) => bytes.includes('clientExtensionResults')));
  assert.ok(place.everything().some((bytes) => bytes.includes('subrosa-session')));
  await device.close();
});

test('a second device comes in with the recovery code, and both see what the other writes', async (place) => {
  const one = await Device.open(place);
  const words = await one.signUp();
  await one.askFor('What is the capital of Spain?');
  const other = await Device.open(place);
  await other.recover(words);
  await other.page.getByRole('button', { name: 'What is the capital of Spain?', exact: true }).waitFor();
  await other.askFor('What is the capital of Poland?');
  await one.page.getByRole('button', { name: 'What is the capital of Poland?', exact: true }).waitFor({ timeout: 15_000 });
  await one.close();
  await other.close();
});

test('a wrong recovery code is refused in words', async (place) => {
  const device = await Device.open(place);
  await device.recover('one two three');
  await refused(device, 'recovery-code-wrong');
  await device.close();
});

test('a passkey that holds no key: this device and the code do, and it is said', async (place) => {
  const device = await Device.open(place, { hasPrf: false });
  await device.button('Create an account with a passkey').click();
  await device.page.getByTestId('no-prf').waitFor();
  const words = (await device.page.getByTestId('words').locator('li').allTextContents()).join(' ');
  await device.page.getByRole('checkbox').check();
  await device.button('Begin').click();
  await device.page.getByLabel('Message', { exact: true }).waitFor();
  await device.askFor('What is the capital of Norway?');
  await device.page.reload();
  await device.button('Come in with a passkey').click();
  await device.page.getByRole('button', { name: 'What is the capital of Norway?', exact: true }).waitFor();
  const other = await Device.open(place);
  await other.recover(words);
  await other.page.getByRole('button', { name: 'What is the capital of Norway?', exact: true }).waitFor();
  await device.close();
  await other.close();
});

test('offline: the page opens, the history is read with the passkey, and nothing is sent or kept in clear', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  const answer = await device.askFor('What is the capital of Italy?');
  await device.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await device.page.reload();
  await device.button('Come in with a passkey').click();
  const title = device.page.getByRole('button', { name: 'What is the capital of Italy?', exact: true });
  await title.waitFor();
  await device.page.waitForTimeout(300);
  place.isAway = true;
  await device.page.reload();
  await device.button('Come in with a passkey').click();
  await title.click();
  assert.equal(await device.page.getByTestId('assistant').locator('.text').innerText(), answer);
  await device.page.getByTestId('offline').waitFor();
  await device.page.locator('[data-testid=badge][data-kind=network]').waitFor();
  await device.page.getByLabel('Message', { exact: true }).fill('Hello');
  assert.ok(await device.button('Send').isDisabled());
  await accessible(device.page, 'offline');
  await device.page.screenshot({ path: join(shots, 'offline.png') });
  const kept = await device.page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const opened = indexedDB.open('subrosa');
      opened.onsuccess = () => resolve(opened.result);
    });
    let text = '';
    for (const name of database.objectStoreNames) {
      const all = await new Promise((resolve) => {
        const got = database.transaction(name).objectStore(name).getAll();
        got.onsuccess = () => resolve(got.result);
      });
      const decoder = new TextDecoder('latin1');
      const shown = (_, value) => (ArrayBuffer.isView(value) ? decoder.decode(value) : value instanceof ArrayBuffer ? decoder.decode(new Uint8Array(value)) : value);
      text += `${name} ${JSON.stringify(all, shown)}\n`;
    }
    const secrets = window.prfOutputs.map((bytes) => decoderOf(bytes));
    function decoderOf(bytes) {
      return new TextDecoder('latin1').decode(Uint8Array.from(bytes));
    }
    return { text, secrets };
  });
  assert.ok(kept.text.includes('records ['), 'nothing was kept');
  for (const secret of ['capital', answer, ...kept.secrets]) assert.ok(!kept.text.includes(secret), 'something is kept in clear');
  place.honest();
  await device.button('Try again').click();
  await device.button('Come in with a passkey').click();
  await title.waitFor();
  await device.askFor('What is the capital of Spain?');
  await device.button('Settings').click();
  await device.button('Sign out').click();
  await device.button('Come in with a passkey').waitFor();
  const left = await device.page.evaluate(
    () =>
      new Promise((resolve) => {
        const opened = indexedDB.open('subrosa');
        opened.onsuccess = () => {
          const got = opened.result.transaction('records').objectStore('records').count();
          got.onsuccess = () => resolve(got.result);
        };
      }),
  );
  assert.equal(left, 0);
  assert.deepEqual(device.errors, []);
  await device.close();
});

test('a store that goes back with slot and history together is found out by a device that was there', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  await device.askFor('What is the capital of Italy?');
  const title = (name) => device.page.getByRole('button', { name: `What is the capital of ${name}?`, exact: true });
  const enter = async () => {
    await device.page.reload();
    await device.button('Come in with a passkey').click();
  };
  // How everything was, as the store could have kept it.
  let sequence, slot;
  place.lies = [
    {
      matches: ({ method, url }) => method === 'GET' && /\/slots\/|history\/records/.test(url),
      body(bytes, answer, { url }) {
        if (url.includes('slots')) slot = bytes;
        else sequence = answer.headers['subrosa-sequence'];
        return bytes;
      },
    },
  ];
  await enter();
  await title('Italy').waitFor();
  place.honest();
  await device.askFor('What is the capital of Spain?');
  await title('Spain').waitFor();
  await device.page.waitForTimeout(300);
  place.lies = [
    { matches: ({ method, url }) => method === 'GET' && url.includes('/slots/'), body: () => slot },
    { matches: ({ url }) => url.includes('history/records?'), body: () => Buffer.alloc(0), headers: { 'subrosa-sequence': sequence } },
  ];
  await enter();
  await refused(device, 'history-rolled-back');
  await device.close();
});

test('a shared conversation opens with its link, and the key is not sent', async (place) => {
  const one = await Device.open(place);
  await one.signUp();
  const answer = await one.askFor('What is the capital of France?');
  await one.button('Share').click();
  const link = await one.page.getByTestId('link').innerText();
  const other = await Device.open(place);
  await other.page.goto(link);
  await other.page.reload();
  await other.page.getByRole('heading', { name: 'What is the capital of France?' }).waitFor();
  assert.equal(await other.page.getByTestId('assistant').locator('.text').innerText(), answer);
  await accessible(other.page, 'shared');
  const key = link.split('.').at(-1);
  assert.ok(!place.seen.some((bytes) => bytes.includes(key) || bytes.includes(Buffer.from(key, 'hex'))), 'the key was sent');
  await other.page.goto(`${link.slice(0, -1)}${link.endsWith('0') ? '1' : '0'}`);
  await other.page.reload();
  await refused(other, 'share-refused');
  assert.deepEqual(other.errors, []);
  await one.close();
  await other.close();
});

test('conversations of other services are imported on this device, and exported with everything', async (place) => {
  const device = await Device.open(place);
  const words = await device.signUp();
  const text = (role, words) => ({ author: { role }, content: { parts: [words] }, create_time: 1 });
  const mapping = {
    q: { parent: null, message: text('user', 'imported-question') },
    a: { parent: 'q', message: text('assistant', 'imported-answer') },
  };
  const file = { name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify([{ title: 'Old', mapping }, {}])) };
  await device.page.locator('aside input[type=file]').setInputFiles(file);
  await device.page.getByText('Imported: 1/1; not read: 1').waitFor();
  await device.page.getByRole('button', { name: 'Old', exact: true }).click();
  await device.page.getByText('imported-answer').waitFor();
  const [download] = await Promise.all([device.page.waitForEvent('download'), device.button('Export everything').click()]);
  const files = unzipSync(readFileSync(await download.path()));
  assert.deepEqual(JSON.parse(strFromU8(files['history.json'])).conversations.map(({ title }) => title), ['Old']);
  const [name] = Object.keys(files).filter((one) => one.startsWith('conversations/Old '));
  assert.match(strFromU8(files[name]), /imported-question/);
  const other = await Device.open(place);
  await other.recover(words);
  await other.page.getByRole('button', { name: 'Old', exact: true }).waitFor();
  assert.ok(!place.seen.some((bytes) => bytes.includes('imported-question')));
  await device.page.locator('aside input[type=file]').setInputFiles({ ...file, buffer: Buffer.from('no JSON') });
  await device.page.getByText('no export of ChatGPT or Claude').waitFor();
  await device.close();
  await other.close();
});

test('folders, places and names are kept sealed, and seen on another device', async (place) => {
  const device = await Device.open(place);
  const words = await device.signUp();
  await device.askFor('What is the capital of France?');
  const tokens = async () => Number(/; (\d+) /.exec(await device.page.getByTestId('speed').innerText())[1]);
  const before = await tokens();
  await device.button('New folder').click();
  await device.page.getByLabel('Name', { exact: true }).fill('canary-of-a-folder');
  await device.page.getByLabel('What models are told first').fill('canary-of-a-prompt: be short and kind, whatever is asked of you.');
  await accessible(device.page, 'folder');
  await device.button('Save').click();
  await device.button('New conversation in: canary-of-a-folder').click();
  await device.askFor('What is the capital of France?');
  assert.ok((await tokens()) > before + 5, 'the prompt did not go along');
  await device.button('New conversation').click();
  await device.askFor('What is the capital of Spain?');
  await device.button('Name, folder, place: What is the capital of Spain?').click();
  await device.page.getByLabel('Name', { exact: true }).fill('Iberia');
  await device.page.getByLabel('Keep at the top').check();
  await accessible(device.page, 'arrange');
  await device.button('Save').click();
  await device.button('★ Iberia').waitFor();
  await device.button('New folder').click();
  await device.page.getByLabel('Name', { exact: true }).fill('Second');
  await device.button('Save').click();
  await device.button('Change the folder: Second').click();
  await device.button('Move up').click();
  await device.button('Cancel').click();
  const shown = (one) => one.page.getByTestId('conversations').getByRole('listitem').allInnerTexts();
  const expected = [/^★ Iberia/, /^▾ Second \(0\)/, /^▾ canary-of-a-folder \(1\)/, /^What is the capital of France/, /^What is the capital of France/];
  const other = await Device.open(place);
  await other.recover(words);
  await other.button('★ Iberia').waitFor();
  for (const one of [device, other]) {
    const found = await shown(one);
    assert.equal(found.length, expected.length, found.join('|'));
    for (const [index, pattern] of expected.entries()) assert.match(found[index], pattern);
  }
  await other.button('canary-of-a-folder (1)').click();
  assert.equal((await shown(other)).length, 4);
  await other.button('Change the folder: canary-of-a-folder').click();
  await other.button('Delete the folder').click();
  await other.button('Change the folder: canary-of-a-folder').waitFor({ state: 'detached' });
  await device.button('Change the folder: canary-of-a-folder').waitFor({ state: 'detached' });
  assert.equal((await shown(device)).length, 4);
  for (const secret of ['canary-of-a-folder', 'canary-of-a-prompt', 'Iberia']) {
    assert.ok(!place.seen.some((bytes) => bytes.includes(secret)), secret);
  }
  assert.deepEqual([...device.errors, ...other.errors], []);
  await device.close();
  await other.close();
});

test('a recovery code is made later, and a share is ended', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  await device.askFor('What is the capital of France?');
  await device.plugIn();
  await device.button('Settings').click();
  await device.button('Add a passkey').click();
  await device.page.getByTestId('ways').locator('li').nth(2).waitFor();
  assert.equal(await device.button('Make a recovery code').count(), 0);
  await device.page.getByTestId('ways').locator('li', { hasText: 'Recovery code' }).getByRole('button', { name: 'Remove' }).click();
  await device.button('Make a recovery code').click();
  await device.page.getByTestId('words').waitFor();
  const words = (await device.page.getByTestId('words').locator('li').allTextContents()).join(' ');
  await device.button('Close').click();
  const other = await Device.open(place);
  await other.recover(words);
  await other.page.getByRole('button', { name: 'What is the capital of France?', exact: true }).click();
  await other.button('Share').click();
  const link = await other.page.getByTestId('link').innerText();
  await other.button('Settings').click();
  await other.page.getByTestId('shares').getByRole('button', { name: 'End' }).click();
  await other.page.getByText('Nothing is shared.').waitFor();
  const third = await Device.open(place);
  await third.page.goto(link);
  await third.page.reload();
  await refused(third, 'not-found');
  assert.deepEqual([...device.errors, ...other.errors], []);
  for (const one of [device, other, third]) await one.close();
});

test('the page locks when nobody uses it', async (place) => {
  const device = await Device.open(place);
  await device.page.clock.install();
  await device.signUp();
  await device.askFor('What is the capital of France?');
  await device.button('Settings').click();
  await device.page.getByLabel('Lock when nothing was touched for').selectOption('5 minutes');
  await device.button('Close').click();
  await device.page.clock.fastForward('04:30');
  await device.button('What is the capital of France?').click();
  await device.page.clock.fastForward('04:30');
  await device.button('What is the capital of France?').waitFor();
  await device.page.clock.fastForward('05:30');
  await device.button('Come in with a passkey').waitFor();
  assert.equal(await device.page.getByText('What is the capital of France?').count(), 0);
  await device.close();
});

test('what keys do stands in one table, and they do it', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  const { keyboard } = device.page;
  await keyboard.press('Control+/');
  await device.page.getByTestId('keyboard').waitFor();
  assert.equal(await device.page.getByTestId('keyboard').locator('tbody tr').count(), 5);
  await accessible(device.page, 'keyboard');
  await keyboard.press('Escape');
  await keyboard.press('Control+k');
  assert.equal(await device.page.evaluate(() => document.activeElement.id), 'search');
  await keyboard.press('Shift+Escape');
  assert.equal(await device.page.evaluate(() => document.activeElement.id), 'message');
  await keyboard.press('Control+.');
  await device.page.getByTestId('verdict').waitFor();
  await keyboard.press('Escape');
  await device.askFor('What is the capital of France?');
  await keyboard.press('Control+Shift+O');
  await device.page.getByTestId('assistant').waitFor({ state: 'detached' });
  await device.close();
});

/** A PDF with one line of text. */
function pdf(text) {
  const content = `BT /F1 12 Tf 10 100 Td (${text}) Tj ET`;
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 144]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
    `<</Length ${content.length}>>\nstream\n${content}\nendstream`, '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>',
  ];
  let file = '%PDF-1.4\n';
  const places = objects.map((object, index) => {
    const at = file.length;
    file += `${index + 1} 0 obj${object}endobj\n`;
    return `${String(at).padStart(10, '0')} 00000 n \n`;
  });
  return Buffer.from(`${file}xref\n0 6\n0000000000 65535 f \n${places.join('')}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${file.length}\n%%EOF`);
}

test('pictures of formulas, files and PDFs: read here, sealed as the rest', async (place) => {
  const device = await Device.open(place);
  await device.signUp();
  const input = device.page.locator('.under input[type=file]');
  await input.setInputFiles([
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('canary-of-a-file') },
    { name: 'paper.pdf', mimeType: 'application/pdf', buffer: pdf('canary-of-a-paper') },
  ]);
  await device.page.getByText('paper.pdf').waitFor();
  await accessible(device.page, 'attachments');
  const answer = await device.askFor('What is in them?');
  assert.match(answer, /canary-of-a-file/);
  assert.match(answer, /canary-of-a-paper/);
  await device.page.reload();
  await device.button('Come in with a passkey').click();
  await device.button('What is in them?').click();
  await device.page.getByText('notes.txt').first().waitFor();
  await input.setInputFiles({ name: 'photo.bin', mimeType: 'image/png', buffer: Buffer.from([0x89, 0, 0xff]) });
  await refused(device, 'attachment');
  await input.setInputFiles({ name: 'large.txt', mimeType: 'text/plain', buffer: Buffer.alloc(400_000, 97) });
  await device.page.getByText('400000 characters together').waitFor();
  await device.askFor('A formula: $\\frac{a}{b}$, and \\(\\href{javascript:alert(1)}{x} + \\sqrt{2}\\)');
  await device.page.locator('.message.assistant math').nth(1).waitFor();
  assert.equal(await device.page.locator('.message.assistant a').count(), 0);
  assert.ok(!place.seen.some((bytes) => bytes.includes('canary-of-a-file') || bytes.includes('canary-of-a-paper')));
  assert.deepEqual(device.errors, []);
  await device.close();
});

test('a second passkey is added; a way in that was removed lets nobody in', async (place) => {
  const one = await Device.open(place);
  const words = await one.signUp();
  await one.askFor('What is the capital of France?');
  const other = await Device.open(place);
  await other.recover(words);
  await other.page.getByRole('button', { name: 'What is the capital of France?', exact: true }).waitFor();
  await one.plugIn();
  await one.button('Settings').click();
  await one.button('Add a passkey').click();
  await one.page.getByTestId('ways').locator('li').nth(2).waitFor();
  assert.equal((await one.page.getByTestId('ways').innerText()).match(/Passkey/g).length, 2);
  await accessible(one.page, 'settings');
  // The second passkey is removed: all other sessions end, and what is written then is under new keys.
  await one.page.getByTestId('ways').locator('li', { hasText: 'Passkey' }).getByRole('button', { name: 'Remove' }).click();
  await one.page.getByTestId('ways').locator('li').nth(2).waitFor({ state: 'detached' });
  await one.button('Close').click();
  await one.askFor('What is the capital of Spain?');
  await one.button('New conversation').click();
  await one.askFor('What is the capital of Italy?');
  const again = await Device.open(place);
  await again.recover(words);
  await again.page.getByRole('button', { name: 'What is the capital of Italy?', exact: true }).waitFor();
  assert.equal((await again.conversations()).length, 2);
  // The code is removed: it opens nothing any more.
  await one.button('Settings').click();
  await one.page.getByTestId('ways').locator('li', { hasText: 'Recovery code' }).getByRole('button', { name: 'Remove' }).click();
  await one.page.getByTestId('ways').locator('li').nth(1).waitFor({ state: 'detached' });
  const late = await Device.open(place);
  await late.recover(words);
  await refused(late, 'unauthorized');
  for (const device of [one, other, again, late]) {
    assert.deepEqual(device.errors, []);
    await device.close();
  }
});

test('an account that is deleted is gone', async (place) => {
  const one = await Device.open(place);
  const words = await one.signUp();
  await one.askFor('What is the capital of France?');
  await one.button('Settings').click();
  await one.button('Delete the account').click();
  await one.button('Create an account with a passkey').waitFor();
  await one.button('Come in with a passkey').click();
  await refused(one, 'unauthorized');
  const other = await Device.open(place);
  await other.recover(words);
  await refused(other, 'unauthorized');
  await one.close();
  await other.close();
});

test('another answer is another version, and both stay', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.askFor('What is the capital of France?');
  await device.button('Answer again').click();
  await device.page.getByText('2/2').waitFor({ timeout: 30_000 });
  await device.page.getByText(/Save receipt/).waitFor({ timeout: 30_000 });
  await device.button('Previous version').click();
  await device.page.getByText('1/2').waitFor();
  await device.close();
});

test('evidence that is saved is what the command line client accepts, and so is a receipt', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.askFor('What is the capital of France?');
  const [receipt] = await Promise.all([device.page.waitForEvent('download'), device.page.getByRole('button', { name: /Save receipt/ }).click()]);
  await device.page.getByTestId('badge').click();
  await device.page.getByText('is the report bound to this key configuration?').waitFor();
  const [evidence] = await Promise.all([device.page.waitForEvent('download'), device.button('Save evidence').click()]);
  const [receiptFile, evidenceFile] = [join(out, 'receipt.json'), join(out, 'evidence.cmw')];
  await receipt.saveAs(receiptFile);
  await evidence.saveAs(evidenceFile);
  const trust = ['--policy', join(place.folder, 'web/policy.toml'), '--development-root', join(place.folder, 'web/development-root')];
  const run = (...command) => {
    try {
      return { code: 0, text: execFileSync(bin, [...command, ...trust], { stdio: 'pipe' }).toString() };
    } catch (error) {
      return { code: error.status, text: `${error.stdout}${error.stderr}` };
    }
  };
  const verified = run('verify', '--bundle', evidenceFile);
  assert.equal(verified.code, 6, verified.text);
  const checked = run('receipt', 'check', receiptFile);
  assert.equal(checked.code, 6, checked.text);
  assert.deepEqual(device.errors, []);
  await device.close();
});

test('garbled evidence: refused, named, and no way to send', async (place) => {
  for (const change of [
    (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1) ^ 1])]),
    () => Buffer.from('garbage'),
    () => Buffer.alloc(0),
  ]) {
    place.lie(/\/bundles\//, { body: change });
    const device = await Device.open(place);
    await device.button('Chat without an account').click();
    await device.page.locator('[data-testid=badge][data-kind=refused]').waitFor();
    await device.page.getByLabel('Message', { exact: true }).fill('text');
    assert.ok(await device.button('Send').isDisabled());
    await device.page.getByLabel('Message', { exact: true }).press('Enter');
    assert.ok(!place.seen.some((bytes) => bytes.includes('/subrosa/v1/exchange')));
    await device.page.getByTestId('badge').click();
    assert.match(await device.page.getByTestId('verdict').innerText(), /bundle-malformed/);
    place.honest();
    await device.close();
  }
});

test('an answer that is cut off or changed is shown as not complete', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
  // Behind a header of 1155 bytes come the records; what follows the complete one is padding.
  place.lie(/\/exchange/, { body: (bytes) => bytes.subarray(0, 1600) });
  await device.say('What is the capital of France?');
  await refused(device, 'truncated');
  place.lie(/\/exchange/, { body: (bytes) => Buffer.concat([bytes.subarray(0, 1400), Buffer.from([bytes[1400] ^ 1]), bytes.subarray(1401)]) });
  await device.say('What is the capital of France?');
  await refused(device, 'record-forged');
  await device.close();
});

const parts = (body) => {
  const found = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at);
    found.push(body.subarray(at, end));
    at = end;
  }
  return found;
};

for (const [name, pattern, what, code] of [
  ['rolls back', /history\/records\?/, { body: (body) => Buffer.concat(parts(body).slice(0, -1)), headers: { 'subrosa-sequence': '2' } }, 'history-rolled-back'],
  ['leaves out a record', /history\/records\?/, { body: (body) => Buffer.concat(parts(body).slice(1)) }, 'history-forked'],
  ['exchanges two records', /history\/records\?/, { body: (body) => { const [a, b, ...rest] = parts(body); return Buffer.concat([b, a, ...rest]); } }, 'history-forked'],
  ['changes a record', /history\/records\?/, { body: (body) => Buffer.concat([body.subarray(0, 300), Buffer.from([body[300] ^ 1]), body.subarray(301)]) }, 'history-forged'],
  ['keeps records back', /history\/records\?/, { body: () => Buffer.alloc(0) }, 'history-incomplete'],
  ['changes the list of slots', /\/roster$/, { body: (body) => Buffer.concat([body.subarray(0, 200), Buffer.from([body[200] ^ 1]), body.subarray(201)]) }, 'roster-unsigned'],
  ['puts its own key into a slot', /\/roster$/, { body: (body) => { const copy = Buffer.from(body); copy.fill(7, 120, 1200); return copy; } }, 'roster-unsigned'],
  ['garbles a locked key', /\/slots\/[0-9a-f]+$/, { body: (body) => Buffer.concat([body.subarray(0, -1), Buffer.from([body.at(-1) ^ 1])]) }, 'slot-refused'],
]) {
  test(`a store that ${name} is shown red`, async (place) => {
    const one = await Device.open(place);
    const words = await one.signUp();
    await one.askFor('What is the capital of France?');
    // So that the slot remembers how far the history was.
    const before = await Device.open(place);
    await before.recover(words);
    await before.page.getByRole('button', { name: 'What is the capital of France?', exact: true }).waitFor();
    await before.page.waitForTimeout(300);
    await before.close();
    place.lie(pattern, what);
    const other = await Device.open(place);
    await other.recover(words);
    await refused(other, code);
    assert.equal(await other.page.getByText('What is the capital of France?').count(), 0);
    place.honest();
    await one.close();
    await other.close();
  });
}

test('a model that writes pictures, scripts and links does nothing by itself', async (place) => {
  const device = await Device.open(place);
  const asked = [];
  device.page.on('request', (request) => asked.push(request.url()));
  await device.button('Chat without an account').click();
  const hostile = [
    '![p](https://evil.example/pixel)', '<img src=https://evil.example/x onerror=alert(1)>', '<script>window.evil = 1</script>',
    '[link](https://evil.example/?q=secret)', '[js](javascript:window.evil=1)', '<iframe src=https://evil.example></iframe>',
  ].join('\n\n');
  await device.askFor(hostile);
  const answer = device.page.getByTestId('assistant').locator('.text');
  assert.equal(await answer.locator('img, script, iframe, style, form, object').count(), 0);
  assert.equal(await device.page.evaluate(() => window.evil), undefined);
  assert.deepEqual(await answer.locator('a').evaluateAll((links) => links.map(({ href }) => href)), ['https://evil.example/?q=secret']);
  await answer.locator('a').click();
  assert.equal(await device.page.getByTestId('address').innerText(), 'https://evil.example/?q=secret');
  assert.equal(await device.page.evaluate(() => document.activeElement.textContent), 'Cancel');
  await device.button('Cancel').click();
  assert.deepEqual(asked.filter((url) => url.includes('evil')), []);
  assert.deepEqual(device.errors, []);
  await device.close();
}, 'echo');

test('every screen is accessible, light and dark, wide and at 360 pixels', async (place) => {
  for (const dark of [false, true]) {
    for (const width of [1200, 360]) {
      const device = await Device.open(place, { dark, width, reduced: dark });
      const shot = async (what) => {
        await accessible(device.page, `${what}, ${dark ? 'dark' : 'light'}, ${width}`);
        const overflow = await device.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${what} is wider than the screen by ${overflow}`);
        await device.page.screenshot({ path: join(shots, `${what}-${dark ? 'dark' : 'light'}-${width}.png`) });
      };
      await shot('start');
      await device.button('Come in with a recovery code').click();
      await shot('recovery');
      await device.button('Back').click();
      await device.button('Create an account with a passkey').click();
      await device.page.getByTestId('words').waitFor();
      await shot('words');
      await device.page.getByRole('checkbox').check();
      await device.button('Begin').click();
      await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
      await device.askFor('What is the capital of France?');
      await shot('chat');
      if (width === 360) await device.button('Conversations and settings').click();
      await shot('history');
      await device.page.getByTestId('badge').click();
      await shot('panel');
      await device.button('Close').click();
      place.lie(/\/bundles\//, { body: () => Buffer.from('garbage') });
      await device.page.getByTestId('badge').click();
      await device.button('Check again').click();
      await device.page.locator('[data-testid=badge][data-kind=refused]').waitFor();
      await shot('refused');
      place.honest();
      await device.close();
    }
  }
});

test('a keyboard alone is enough: account, chat, panel', async (place) => {
  const device = await Device.open(place);
  const { keyboard } = device.page;
  const to = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      const focused = await device.page.evaluate(() => {
        const element = document.activeElement;
        if (element === document.body) return '';
        return element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent?.trim() ?? element.textContent.trim();
      });
      if (focused.includes(name)) return;
      await keyboard.press('Tab');
    }
    throw new Error(`${name} is not reached`);
  };
  await to('Create an account');
  await keyboard.press('Enter');
  await device.page.getByTestId('words').waitFor();
  await to('I have written them down');
  await keyboard.press('Space');
  await to('Begin');
  await keyboard.press('Enter');
  await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
  await keyboard.press('Shift+Escape');
  await keyboard.type('What is the capital of France?');
  await keyboard.press('Enter');
  await device.page.getByText(/Save receipt/).waitFor({ timeout: 30_000 });
  await to('What was checked');
  await keyboard.press('Enter');
  await device.page.getByTestId('verdict').waitFor();
  await keyboard.press('Escape');
  await device.page.getByTestId('verdict').waitFor({ state: 'detached' });
  await device.close();
});

test('a log: nothing is sent before the directory is in it, and what was seen of it is kept', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=refused]').waitFor();
  await device.page.getByTestId('badge').click();
  await device.page.getByTestId('verdict').filter({ hasText: 'directory-not-logged' }).waitFor();
  await device.button('Close').click();
  assert.ok(await device.button('Send').isDisabled());
  await place.list();
  await device.page.getByTestId('badge').click();
  await device.button('Check again').click();
  await device.page.getByTestId('verdict').filter({ hasText: 'NOT PROTECTED (development)' }).waitFor();
  await device.button('Close').click();
  assert.match(await device.askFor('Hello there'), /Hello there/);
  const seen = await device.page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opened = indexedDB.open('subrosa');
        opened.onerror = () => reject(opened.error);
        opened.onsuccess = () => {
          const got = opened.result.transaction('log').objectStore('log').get('seen');
          got.onsuccess = () => resolve(got.result);
        };
      }),
  );
  assert.match(JSON.parse(seen).logs['example.com/log'], /^example.com\/log\n3\n/);
  assert.ok(!seen.includes('Hello'));
  assert.deepEqual(device.errors, []);
  await device.close();
}, 'log');

test('a log that has grown is followed by its tiles, and one that has forked is shown red with its two notes', async (place) => {
  const device = await Device.open(place);
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
  await place.grow();
  place.lie(/\/log\/tile\//, { path: () => '/subrosa/v1/log/tile/0/999' });
  await device.page.reload();
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=network]').waitFor();
  assert.ok(await device.button('Send').isDisabled());
  place.honest();
  await device.page.reload();
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=development]').waitFor();
  assert.ok(place.seen.some((bytes) => bytes.includes('/subrosa/v1/log/tile/0/000.p/')));
  await place.fork();
  await device.page.reload();
  await device.button('Chat without an account').click();
  await device.page.locator('[data-testid=badge][data-kind=refused]').waitFor();
  await device.page.getByTestId('badge').click();
  await device.page.getByTestId('verdict').filter({ hasText: /log-(forked|rolled-back)/ }).waitFor();
  const download = device.page.waitForEvent('download');
  await device.button('Save what contradicts itself').click();
  const both = JSON.parse(readFileSync(await (await download).path(), 'utf8'));
  assert.match(both.seen, /^example.com\/log\n/);
  assert.match(both.refused, /^example.com\/log\n/);
  assert.notEqual(both.seen, both.refused);
  await accessible(device.page, 'contradiction');
  assert.deepEqual(device.errors, []);
  await device.close();
}, 'log');

const databases = [['SQLite', null]];
if (process.env.SUBROSA_POSTGRES) databases.push(['Postgres', process.env.SUBROSA_POSTGRES]);
else if (process.env.CI === 'true') throw new Error('SUBROSA_POSTGRES names no database');
const results = [];

async function attempt(place, database, { name: what, work }) {
  place.seen.length = 0;
  place.honest();
  const began = performance.now();
  try {
    await work(place);
    results.push({ what, database, passed: true });
    console.log(`✓ ${database}: ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    results.push({ what, database, passed: false });
    console.log(`✗ ${database}: ${what}\n${error.stack}`);
    await Device.closeAll();
  }
}

for (const [name, url] of databases) {
  for (const engine of ['demo', 'echo']) {
    // What only the browser does is tried with one database.
    const again = (one) => !url || !/accessible|keyboard|pictures|evidence|cut off|another answer|PRF/.test(one.name);
    const chosen = tests.filter((one) => one.needs === 'store' && (one.name.includes('pictures') ? 'echo' : 'demo') === engine && wanted.test(one.name) && again(one));
    if (chosen.length === 0) continue;
    const place = await Place.start(url, engine);
    for (const one of chosen) await attempt(place, name, one);
    await place.stop();
  }
}
const chosen = tests.filter(({ name, needs }) => needs === 'log' && wanted.test(name));
if (chosen.length > 0) {
  const place = await LoggedPlace.start();
  for (const one of chosen) await attempt(place, 'log', one);
  await place.stop();
}
writeFileSync(join(out, 'results.json'), JSON.stringify(results, null, 2));
const failed = results.filter(({ passed }) => !passed).length;
console.log(`web: ${results.length} tests, ${failed} failed; screenshots in ${shots}`);
process.exit(failed === 0 && results.length > 0 ? 0 : 1);
