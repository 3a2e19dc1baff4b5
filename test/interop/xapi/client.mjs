// SPDX-License-Identifier: Apache-2.0
// What Xen Orchestra does with a host, by its own client: connects, watches, waits at barriers, makes and
// deletes disks and snapshots, takes a full backup and a delta, and restores.  Prints one JSON object of what
// it saw.
//
//      node client.mjs URL
import { Readable } from 'node:stream'
import { createClient } from 'xen-api'

const xapi = createClient({ url: process.argv[2], allowUnauthorized: true })
const seen = { errors: [] }

xapi.on('eventFetchingError', error => seen.errors.push(String(error)))
await xapi.connect()
await xapi.objectsFetched
seen.types = [...new Set(Object.values(xapi.objects.all).map(object => object.$type))].sort()
seen.master = xapi.pool.$master.address
seen.live = xapi.pool.$master.$metrics.live
await xapi.barrier()

const sr = xapi.pool.$default_SR
const vdi = await xapi.call('VDI.create', {
  SR: sr.$ref, name_label: 'web', name_description: '', virtual_size: 10 * 1024 * 1024, type: 'user',
  sharable: false, read_only: false, other_config: { a: 'b' }, xenstore_data: {}, sm_config: {}, tags: [],
})
await xapi.barrier(vdi)
seen.size = xapi.getObject(vdi).virtual_size
seen.sr = xapi.getObject(vdi).$SR.name_label

const snapshot = await xapi.callAsync('VDI.snapshot', vdi)
await xapi.barrier(snapshot)
seen.snapshot_of = xapi.getObject(snapshot).$snapshot_of.name_label
seen.parents = [vdi, snapshot].map(ref => xapi.getObject(ref).sm_config['vhd-parent'])
seen.base = xapi.getObjectByUuid(seen.parents[0]).managed
await xapi.getObject(snapshot).update_other_config('xo:backup:job', 'j')
await xapi.getObject(snapshot).update_other_config('xo:backup:job', 'k')
await xapi.getObject(snapshot).update_other_config('xo:backup:job', null)
await xapi.getObject(snapshot).set_name_label('snap')
await xapi.barrier(snapshot)
seen.name = xapi.getObject(snapshot).name_label
seen.other_config = xapi.getObject(snapshot).other_config

const vm = await xapi.call('VM.create', { name_label: 'machine', name_description: '', other_config: {}, tags: [] })
await xapi.call('VBD.create', {
  VM: vm, VDI: vdi, userdevice: 'autodetect', bootable: true, mode: 'RW', type: 'Disk', empty: false,
  other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {},
})
const vmSnapshot = await xapi.callAsync('VM.snapshot', vm, 'machine at noon')
await xapi.barrier(vmSnapshot)
seen.vm = xapi.getObject(vmSnapshot).$snapshot_of.name_label
seen.vm_disk = xapi.getObject(vmSnapshot).$VBDs[0].$VDI.$snapshot_of.name_label
for (const { VDI } of xapi.getObject(vmSnapshot).$VBDs) {
  await xapi.callAsync('VDI.destroy', VDI)
}
await xapi.callAsync('VM.destroy', vmSnapshot)
await xapi.callAsync('VM.destroy', vm)

const task = await xapi.call('task_create', 'transfer', 'by a client')
await xapi.call('task_set_progress', task, 0.25)
await xapi.call('task_set_status', task, 'success')
await xapi.barrier(task)
seen.task = xapi.getObject(task).status
await xapi.call('task.destroy', task)

try {
  await xapi.callAsync('VDI.destroy', 'OpaqueRef:NULL')
} catch (error) {
  seen.error = { code: error.code, params: error.params }
}

const SIZE = 10 * 1024 * 1024
const BLOCK = 2 * 1024 * 1024
const put = (body, to, format, more) =>
  xapi.putResource(body, '/import_raw_vdi/', { query: { format, vdi: to, ...more }, task: true })
const get = async query => {
  const response = await xapi.getResource('/export_raw_vdi/', { query, task: true })
  const body = Buffer.from(await response.body.arrayBuffer())
  await response.task
  seen.lengths = (seen.lengths ?? true) && Number(response.headers['content-length']) === body.length
  return body
}
// As a backup is kept: bitmaps are not looked at, each block that is there is overwritten whole.
const apply = (disk, stream) => {
  const table = Number(stream.readBigUInt64BE(512 + 16))
  let n = 0
  for (let i = 0; i < stream.readUInt32BE(512 + 28); i++) {
    const sector = stream.readUInt32BE(table + 4 * i)
    if (sector !== 0xffffffff) {
      stream.copy(disk, i * BLOCK, sector * 512 + 512, sector * 512 + 512 + BLOCK)
      n++
    }
  }
  return n
}
const data = Buffer.alloc(SIZE)
data.fill('first', 100, 3000)
data.fill('second', 7 * 1024 * 1024 + 77, 9 * 1024 * 1024)
seen.imported = (await put(data, vdi, 'raw')) === vdi
const base = await xapi.callAsync('VDI.snapshot', vdi)
const backup = Buffer.alloc(SIZE)
const full = await get({ format: 'vhd', vdi: base })
seen.full = [apply(backup, full), backup.equals(data)]
const pieces = []
for (const [at, text] of [[7 * 1024 * 1024 - 2, 'third'], [1024 * 1024, 'fourth']]) {
  const head = Buffer.alloc(12)
  head.writeUInt32LE(at)
  head.writeUInt32LE(text.length, 8)
  data.write(text, at)
  pieces.push(head, Buffer.from(text))
}
await put(Buffer.concat([...pieces, Buffer.alloc(12)]), vdi, 'raw', { chunked: true })
const later = await xapi.callAsync('VDI.snapshot', vdi)
seen.delta = [apply(backup, await get({ format: 'vhd', vdi: later, base })), backup.equals(data)]
const restored = await xapi.call('VDI.create', {
  SR: sr.$ref, name_label: 'restored', name_description: '', virtual_size: SIZE, type: 'user',
  sharable: false, read_only: false, other_config: {}, xenstore_data: {}, sm_config: {}, tags: [],
})
await put(Readable.from([full.subarray(0, 700), full.subarray(700)]), restored, 'vhd') // of unknown length
const back = await get({ format: 'raw', vdi: restored })
data.fill(0)
apply(data, full)
seen.restored = back.equals(data)
for (const each of [restored, later, base]) {
  await xapi.callAsync('VDI.destroy', each)
}

await xapi.callAsync('VDI.destroy', snapshot)
await xapi.barrier()
seen.gone = xapi.getObject(snapshot, null)
await xapi.callAsync('VDI.destroy', vdi)
await xapi.disconnect()
console.log(JSON.stringify(seen))
