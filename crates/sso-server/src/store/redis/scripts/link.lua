-- Store::link.
local link, id, sealed, heals, made, replaces, most = unpack(ARGV, 3)
local keep = redis.call('HGET', key('s', id), 'keep')
if not keep then return { 'gone' } end
local l = key('l', link)
local was = redis.call('HMGET', l, 'session', 'sealed')
local owner = was[1]
if owner and redis.call('EXISTS', key('s', owner)) == 1 then
  if owner == id then return { 'same', was[2] } end
  if owner ~= replaces then return answer('taken', owner) end
end
if owner then redis.call('ZREM', key('ls', owner), link) end
local ms = lifetime(keep)
redis.call('HSET', l, 'session', id, 'sealed', sealed, 'heals', heals)
redis.call('PEXPIRE', l, ms)
-- The oldest at this broker make room.
local of_broker = string.match(link, '^[^:]*:')
local others = {}
for _, other in ipairs(links_to(id)) do
  local here = redis.call('HGET', key('l', other), 'session') == id
  if here and string.sub(other, 1, #of_broker) == of_broker then others[#others + 1] = other end
end
for n = 1, #others + 1 - tonumber(most) do cut(others[n]) end
redis.call('ZADD', key('ls', id), made, link)
redis.call('PEXPIRE', key('ls', id), ms)
return { 'linked' }
