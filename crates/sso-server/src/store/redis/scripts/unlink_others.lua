-- Store::unlink of a session's other links: of one broker if it is named, else of those that heal.
local id, keep, broker = unpack(ARGV, 3)
local count = 0
for _, link in ipairs(links_to(id)) do
  local l = redis.call('HMGET', key('l', link), 'session', 'heals')
  local meant = l[2] == '1'
  if broker ~= '' then meant = string.sub(link, 1, #broker + 1) == broker .. ':' end
  if link ~= keep and l[1] == id and meant and cut(link) then count = count + 1 end
end
return { tostring(count) }
