-- Store::link.
local link, id, sealed, heals, made, replaces, most, unused = unpack(ARGV, 3)
local keep = redis.call('HGET', key('s', id), 'keep')
if not keep then return { 'gone' } end
local l = key('l', link)
local was = redis.call('HMGET', l, 'session', 'sealed')
local owner = was[1]
if owner and redis.call('EXISTS', key('s', owner)) == 1 then
  if owner == id then return { 'same', was[2] } end
  if owner ~= replaces then return answer('taken', owner) end
end
-- Others at this broker make room: the oldest; where it cannot attach anew those that never called, then the longest unused, if that is long ago.
local of_broker = string.match(link, '^[^:]*:')
local others = {}
for _, other in ipairs(links_to(id)) do
  local of = redis.call('HMGET', key('l', other), 'session', 'called')
  if of[1] == id and string.sub(other, 1, #of_broker) == of_broker then
    others[#others + 1] = { link = other, place = #others, called = tonumber(of[2] or '0') }
  end
end
if heals == '0' then
  table.sort(others, function(a, b)
    if a.called ~= b.called then return a.called < b.called end
    return a.place < b.place
  end)
end
local surplus = #others + 1 - tonumber(most)
for n = 1, surplus do
  if heals == '0' and others[n].called > 0 and tonumber(made) - others[n].called <= tonumber(unused) then return { 'no room' } end
end
for n = 1, surplus do cut(others[n].link) end
if owner then redis.call('ZREM', key('ls', owner), link) end
local ms = lifetime(keep)
redis.call('HSET', l, 'session', id, 'sealed', sealed, 'heals', heals, 'called', '0')
redis.call('PEXPIRE', l, ms)
redis.call('ZADD', key('ls', id), made, link)
redis.call('PEXPIRE', key('ls', id), ms)
return { 'linked' }
