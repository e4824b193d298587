-- Store::due: name, record and times of each. Those whose record has gone leave the list.
local by, most = unpack(ARGV, 3)
local list = ns .. ':ends'
local found = {}
for _, id in ipairs(redis.call('ZRANGE', list, '-inf', by, 'BYSCORE', 'LIMIT', 0, most)) do
  local s = redis.call('HMGET', key('session', id), 'sealed', 'seen', 'keep')
  if s[1] then
    found[#found + 1] = id
    for n = 1, 3 do found[#found + 1] = s[n] end
  else
    redis.call('ZREM', list, id)
  end
end
return found
