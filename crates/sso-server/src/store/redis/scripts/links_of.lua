-- Store::links_of: name and record of each.
local id = ARGV[3]
local found = {}
if redis.call('EXISTS', key('s', id)) == 0 then return found end
for _, link in ipairs(redis.call('ZRANGE', key('sl', id), 0, -1)) do
  local l = redis.call('HMGET', key('l', link), 'session', 'sealed')
  if l[1] == id then
    found[#found + 1] = link
    found[#found + 1] = l[2]
  end
end
return found
