import t from 'tap'
import { createPublicLookup, isPublicAddress } from '../../../gateway/alerts/public-address.ts'

const addresses = {
  public: [
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8'
  ],
  'of this machine': ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    'fc00::1',
    'fdff::1'
  ],
  'of a link': ['169.254.1.1', 'fe80::1', 'fe80::1%lo', 'febf::1', 'fec0::1'],
  'of a cloud': ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'],
  'of many': ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
  'of no host': ['192.0.2.1', '198.18.0.1', '203.0.113.1', '240.0.0.1', '2001:db8::1', '100::1', '4000::1'],
  embedding: [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:0a00:0001',
    '::ffff:169.254.169.254',
    '::ffff:168.63.129.16',
    '::127.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::10.0.0.1',
    '2002:7f00:1::1',
    '2001::1'
  ],
  none: ['', 'localhost', '1', '127.1', '[::1]', '256.0.0.1']
}

for (const [kind, list] of Object.entries(addresses)) {
  t.test(`tells addresses that are ${kind}`, async t => {
    for (const address of list) t.equal(isPublicAddress(address), kind === 'public', address)
  })
}

const found = [
  { address: '10.0.0.1', family: 4 },
  { address: '2606:4700:4700::1111', family: 6 },
  { address: '8.8.8.8', family: 4 }
]

t.test('gives the addresses of a name that are public', async t => {
  const asked: unknown[] = []
  const lookup = createPublicLookup((hostname, options, callback) => {
    asked.push({ hostname, ...options })
    callback(null, found)
  })
  const given: unknown[] = []

  lookup('example.org', { all: true, hints: 1 }, (...all) => given.push(all))
  lookup('example.org', { family: 0 }, (...all) => given.push(all))

  t.strictSame(given, [
    [null, found.slice(1)],
    [null, '2606:4700:4700::1111', 6]
  ])
  t.strictSame(asked, [
    { hostname: 'example.org', all: true, hints: 1 },
    { hostname: 'example.org', all: true, family: 0 }
  ])
})

const failures = [
  { when: 'none is left', error: null, addresses: found.slice(0, 1), code: 'SMG_GATEWAY_WEBHOOK_PRIVATE' },
  { when: 'there is none', error: null, addresses: [], code: 'SMG_GATEWAY_WEBHOOK_PRIVATE' },
  {
    when: 'nobody knows it',
    error: Object.assign(new Error(), { code: 'ENOTFOUND' }),
    addresses: [],
    code: 'ENOTFOUND'
  }
]
for (const { when, error, addresses, code } of failures) {
  t.test(`fails when ${when}`, async t => {
    const lookup = createPublicLookup((_hostname, _options, callback) => callback(error, addresses))

    const thrown = await new Promise(resolve => lookup('example.org', { all: true }, resolve))

    t.match(thrown, { code })
  })
}
