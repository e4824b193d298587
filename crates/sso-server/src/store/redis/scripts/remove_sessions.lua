-- Store::remove_all: these sessions, with all that leads to them.
local count = 0
for n = 3, #ARGV do
  local id = ARGV[n]
  local of = redis.call('HMGET', key('s', id), 'cookie', 'old', 'user')
  if of[1] then
    for m = 1, 2 do
      if of[m] ~= '' and redis.call('GET', key('c', of[m])) == id then redis.call('DEL', key('c', of[m])) end
    end
    if of[3] ~= '' then redis.call('ZREM', key('u', of[3]), id) end
    for _, link in ipairs(links_to(id)) do
      if redis.call('HGET', key('l', link), 'session') == id then redis.call('DEL', key('l', link)) end
    end
    redis.call('DEL', key('ls', id), key('s', id))
    count = count + 1
  end
end
return { tostring(count) }
