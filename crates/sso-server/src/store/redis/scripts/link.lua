-- Store::link.
local link, id, sealed, heals, replaces = unpack(ARGV, 3)
local keep = redis.call('HGET', key('s', id), 'keep')
if not keep then return { 'gone' } end
local l = key('l', link)
local was = redis.call('HMGET', l, 'session', 'sealed')
local owner = was[1]
if owner and redis.call('EXISTS', key('s', owner)) == 1 then
  if owner == id then return { 'same', was[2] } end
  if owner ~= replaces then return answer('taken', owner) end
end
if owner then redis.call('SREM', key('sl', owner), link) end
local ms = lifetime(keep)
redis.call('HSET', l, 'session', id, 'sealed', sealed, 'heals', heals)
redis.call('PEXPIRE', l, ms)
redis.call('SADD', key('sl', id), link)
redis.call('PEXPIRE', key('sl', id), ms)
return { 'linked' }
