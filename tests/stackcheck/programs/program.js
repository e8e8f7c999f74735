// SPDX-License-Identifier: Apache-2.0
// JIT code and native code that call each other, and a thread pool, for ever.
const crypto = require('crypto'), fs = require('fs'), vm = require('vm'), zlib = require('zlib');

function deep(n, o) {
	o[n] = JSON.stringify({ a: Array.from({ length: 50 }, (_, i) => ({ i, s: 'x'.repeat(i) })) });
	return n ? deep(n - 1, o) : Object.values(o).map(JSON.parse).sort((x, y) => x.a.length - y.a.length);
}

async function turn(k) {
	const b = Buffer.alloc(20000, k % 256);

	deep(10, {});
	crypto.createHash('sha256').update(b).digest('hex');
	zlib.inflateSync(zlib.deflateSync(b));
	new RegExp('(a+)' + k % 100 + 'b*').exec('aaaa12bbb');
	vm.runInNewContext('x = [1, 2, 3].map(y => y * ' + k + ')', {});
	await fs.promises.stat('/');
	fs.readFileSync('/etc/passwd');
}

(async () => {
	for (let k = 0;; k++)
		await turn(k);
})();
