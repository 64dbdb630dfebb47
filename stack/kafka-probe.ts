import { connect } from 'node:net'

const TIMEOUT_MS = 1_000
const CORRELATION_ID = 1

/**
 * Says whether a broker serves: it answers a Metadata request and lists a broker, which it does only once the controller
 * has let it in. An open port comes earlier. Spoken by hand: the stack imports no Kafka client, and a process for one
 * would take longer than the answer.
 */
export function isKafkaReady(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host, () => socket.write(metadataRequest()))
    let answer = Buffer.alloc(0)

    socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
    socket.on('data', chunk => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= BROKER_COUNT + 4) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(brokersIn(answer) > 0))
  })
}

// https://kafka.apache.org/protocol.html#The_Messages_Metadata, version 4: the oldest form without surprises, and what
// KafkaJS speaks too. Answer: size, correlation id, throttle time, count of brokers, ...
const BROKER_COUNT = 12

function metadataRequest(): Buffer {
  const body = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 4 + 1)
  body.writeInt32BE(body.length - 4, 0)
  body.writeInt16BE(3, 4) // Metadata
  body.writeInt16BE(4, 6) // its version
  body.writeInt32BE(CORRELATION_ID, 8)
  body.writeInt16BE(-1, 12) // no client id
  body.writeInt32BE(0, 14) // about no topic
  return body // the last byte: makes no topic
}

function brokersIn(answer: Buffer): number {
  return answer.length >= BROKER_COUNT + 4 ? answer.readInt32BE(BROKER_COUNT) : 0
}
