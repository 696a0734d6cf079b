// SPDX-License-Identifier: Apache-2.0 OR MIT
// The node program of the original's walk-through: an HTTP server on port 80 of all addresses.
//   LD_PRELOAD=$PWD/libzerotierintercept.so ZT_NC_NETWORK=HOME/nc_NWID node examples/httpserver.js
const http = require('http');

const server = http.createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.end('\n\nWelcome to the machine!\n\n');
});

server.listen(Number(process.env.PORT || 80), '0.0.0.0', () => {
  console.log('Server running!');
});
