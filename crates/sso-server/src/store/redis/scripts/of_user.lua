-- Store::of_user: name, record and times of each.
local user = ARGV[3]
local found = {}
for _, id in ipairs(redis.call('ZRANGE', key('user', user), 0, -1)) do
  local s = redis.call('HMGET', key('session', id), 'user', 'sealed', 'seen', 'keep')
  if s[1] == user then
    found[#found + 1] = id
    for n = 2, 4 do found[#found + 1] = s[n] or '' end
  end
end
return found
