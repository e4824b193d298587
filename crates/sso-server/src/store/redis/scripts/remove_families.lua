-- Store::remove_family, and Store::remove_all for these families.
local count = 0
for n = 3, #ARGV do
  local f = key('family', ARGV[n])
  local user = redis.call('HGET', f, 'user')
  if user then
    redis.call('DEL', f)
    redis.call('ZREM', key('families', user), ARGV[n])
    count = count + 1
  end
end
return { tostring(count) }
