// Loaded before the suite's origin, which by itself listens on every interface.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  const isPort = /^\d+$/.test(String(port)) && typeof rest[0] !== 'string'
  return listen.call(this, port, ...(isPort ? ['127.0.0.1'] : []), ...rest)
}
