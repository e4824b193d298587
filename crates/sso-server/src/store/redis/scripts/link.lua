-- Store::link.
local link, id, sealed, php, made, epoch, most, unused = unpack(ARGV, 3)
local keep, count = unpack(redis.call('HMGET', key('session', id), 'keep', 'epoch'))
local l = key('link', link)
local was = redis.call('HGET', l, 'sealed')
-- Each call seals anew: this one runs again.
if was == sealed then return 'done' end
if count ~= epoch then return 'conflict' end
if is_linked(link) then return 'taken' end
-- Others at this broker make room, as room_for (store/rules.rs) says.
local of_broker = string.match(link, '^[^:]*:')
local others = {}
for _, other in ipairs(links_to(id)) do
  local o = redis.call('HMGET', key('link', other), 'session', 'called')
  if o[1] == id and string.sub(other, 1, #of_broker) == of_broker then
    others[#others + 1] = { link = other, place = #others, called = tonumber(o[2] or '0') }
  end
end
if php == '1' then
  table.sort(others, function(a, b)
    if a.called ~= b.called then return a.called < b.called end
    return a.place < b.place
  end)
end
local surplus = #others + 1 - tonumber(most)
for n = 1, surplus do
  local called = others[n].called
  if php == '1' and called > 0 and tonumber(made) - called <= tonumber(unused) then return 'no room' end
end
for n = 1, surplus do cut(others[n].link) end
put_link(link, id, sealed, made)
redis.call('PEXPIRE', l, lifetime(keep))
redis.call('PEXPIRE', key('links', id), lifetime(keep))
return 'done'
