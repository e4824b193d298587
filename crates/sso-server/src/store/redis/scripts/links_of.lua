-- Store::links_of: name and record of each.
local id = ARGV[3]
local found = {}
if redis.call('EXISTS', key('session', id)) == 0 then return found end
for _, link in ipairs(links_to(id)) do
  local l = redis.call('HMGET', key('link', link), 'session', 'sealed')
  if l[1] == id then
    found[#found + 1] = link
    found[#found + 1] = l[2] or ''
  end
end
return found
