-- Store::update.
local id, version, sealed, seen, keep, epoch, cookie, old, user, ends, latest = unpack(ARGV, 3)
local s = key('session', id)
local was = redis.call('HMGET', s, 'version', 'seen', 'keep', 'epoch', 'cookie', 'old', 'user', 'writes')
-- Each call seals anew, so the end of what it sealed, a MAC, tells it from all others. Where its answer was lost it
-- runs again, and is done also if others have written since: the last eight are known. To its caller a conflict would
-- mean that nothing was written, and the browser would not get the cookie that was.
local write, writes = string.sub(sealed, -16), was[8] or ''
if string.find(writes, write, 1, true) then return { was[2], was[3] } end
if tonumber(was[1] or '-1') + 1 ~= tonumber(version) then return false end
if cookie ~= was[5] and cookie ~= was[6] and taken(cookie, id) then return false end
for n = 5, 6 do
  local lost = was[n]
  if lost ~= '' and lost ~= cookie and lost ~= old and redis.call('GET', key('cookie', lost)) == id then
    redis.call('DEL', key('cookie', lost))
  end
end
-- As updated (store/rules.rs) says.
if tonumber(was[2]) <= tonumber(latest) then
  seen = later(seen, was[2])
  if epoch == was[4] then keep, ends = later(keep, was[3]), later_end(id, ends) end
end
if was[7] ~= '' and was[7] ~= user then redis.call('ZREM', key('user', was[7]), id) end
redis.call('HSET', s, 'version', version, 'sealed', sealed, 'seen', seen, 'keep', keep, 'epoch', epoch,
  'cookie', cookie, 'old', old, 'user', user, 'writes', string.sub(write .. writes, 1, 8 * 16))
redis.call('SET', key('cookie', cookie), id, 'PX', lifetime(keep))
keep_session(id, keep)
note_end(id, ends, keep)
return { seen, keep }
