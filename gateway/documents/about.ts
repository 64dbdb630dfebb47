/** What both documents say about the system. */
export const ABOUT = {
  title: 'SMG Kafka',
  version: '0.1.0',
  contact: { name: 'SMG Kafka', url: 'https://github.com/smg-kafka/smg-kafka' },
  license: { name: 'MIT' }
}
