-- Store::families_of: name and record of each.
local found = {}
for _, id in ipairs(redis.call('ZRANGE', key('families', ARGV[3]), 0, -1)) do
  local f = redis.call('HMGET', key('family', id), 'user', 'sealed')
  if f[1] == ARGV[3] then
    found[#found + 1] = id
    found[#found + 1] = f[2] or ''
  end
end
return found
