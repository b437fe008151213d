// `continuo studio` with the page, for tests.
import {spawn} from 'node:child_process';

/** {address, stop()}: the page at `address`, with the API; `more` are arguments, `environment` variables of the program. An
 * address has the fragment that the program prints. */
export function servePage(program, page, more = [], environment = {}) {
  const flags = ['studio', '--no-open', '--page', page, '--port', '0', '--json', ...more];
  const child = spawn(program, flags, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {...process.env, ...environment},
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      if (text.includes('\n')) resolve({address: JSON.parse(text).page, stop: () => child.kill()});
    });
    child.on('exit', (code) =>
      reject(new Error(`${program} ${flags.join(' ')} ended with ${code}`)),
    );
  });
}
