/** As much of a registry of prom-client as is asked for. */
interface Registry {
  getSingleMetric(name: string): { get(): Values | Promise<Values> } | undefined
}

interface Values {
  readonly values: readonly { readonly value: number }[]
}

/** Gives the sum of a metric over all its labels; null when there is none of that name. */
export async function sumMetric(registry: Registry, name: string): Promise<number | null> {
  const metric = await registry.getSingleMetric(name)?.get()
  return metric ? metric.values.reduce((sum, { value }) => sum + value, 0) : null
}
