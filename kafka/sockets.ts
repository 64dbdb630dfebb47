import net from 'node:net'
import tls from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

// A peer that is gone without a word is noticed in a quarter of a minute; without noDelay small requests wait for 40 ms.
const KEEP_ALIVE_MS = 15_000

/** Opens a socket to a broker as KafkaJS asks for it, with noDelay and keep-alive, over TLS too. */
export const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? tls.connect({ host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect)

  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  return socket
}
