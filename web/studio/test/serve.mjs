// The page with a real engine behind it, for tests: `continuo studio` where the program has it, else `continuo serve` behind a
// small proxy that also gives out the page.
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import http from 'node:http';

function started(program, flags) {
  const child = spawn(program, flags, {stdio: ['ignore', 'pipe', 'inherit']});
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
      if (address) resolve({child, address});
    });
    child.on('exit', (code) =>
      reject(new Error(`${program} ${flags.join(' ')} ended with ${code}`)),
    );
  });
}

/** {address, stop()}: the page at `address`, with the API. */
export async function servePage(program, page) {
  const {child, address} = await started(program, ['serve', '--port', '0', '--json']);
  const {port} = new URL(address);
  const html = readFileSync(page);
  const proxy = http.createServer((request, response) => {
    if (request.url === '/' || request.url.startsWith('/?')) {
      response.writeHead(200, {'Content-Type': 'text/html; charset=utf-8'}).end(html);
      return;
    }
    const headers = {...request.headers, host: `127.0.0.1:${port}`};
    delete headers.origin;
    const onward = http.request(
      {
        host: '127.0.0.1',
        port,
        path: request.url,
        method: request.method,
        headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${proxy.address().port}/`,
    api: address,
    stop() {
      proxy.closeAllConnections();
      proxy.close();
      child.kill();
    },
  };
}
