# Visit Alice, log in, visit Greg, log out there, visit Alice again: with curl and a cookie jar. Prints what each page says.
alice=$1 greg=$2 server=$3
browse() { curl -sSL -c jar -b jar "$@"; }
hidden() { sed -n 's/.*name="form_token" value="\([^"]*\)".*/\1/p' page | head -n 1; }
who() { if grep -q '<h1>You are logged out' page; then echo out; else sed -n 's/.*<h1>Logged in as \([a-z]*\)<.*/\1/p' page; fi; }

browse "$alice/" >page
who
browse "$alice/sso/login?to=/" >page
action=$(sed -n 's/.*action="\(\/attach[^"]*\)".*/\1/p' page | sed 's/&#38;/\&/g; s/&amp;/\&/g')
browse "$server$action" -d username=jackie -d password=jackie123 --data-urlencode "form_token=$(hidden)" >page
who
browse "$greg/" >page
who
browse "$greg/logout" --data-urlencode "form_token=$(hidden)" >page
who
browse "$alice/" >page
who
