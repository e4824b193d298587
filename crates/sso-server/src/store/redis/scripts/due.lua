-- Store::due: name, record and times of each. Those whose record has gone leave the list, and those that the caller
-- could not read.
local list, by, most = ns .. ':ends', ARGV[3], ARGV[4]
for n = 5, #ARGV do redis.call('ZREM', list, ARGV[n]) end
local found = {}
for _, id in ipairs(redis.call('ZRANGE', list, '-inf', by, 'BYSCORE', 'LIMIT', 0, most)) do
  local session = answer(id)
  if session then found[#found + 1] = session else redis.call('ZREM', list, id) end
end
return found
