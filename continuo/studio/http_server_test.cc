#include "continuo/studio/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "continuo/compose/fake_model_testing.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() : server_(*HttpServer::Start(api_, {.connections = 8})) {}

  int Connect() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CONTINUO_CHECK(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    const timeval patience = {20, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return socket;
  }
  static void Send(int socket, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) {
        return;  // the server has closed the connection
      }
      sent += static_cast<size_t>(count);
    }
  }
  /// Everything up to the end, or up to `until`.
  static std::string Receive(int socket, const std::string& until = {}) {
    std::string text;
    char buffer[4096];
    while (until.empty() || text.find(until) == std::string::npos) {
      const ssize_t count = ::recv(socket, buffer, sizeof(buffer), 0);
      if (count <= 0) {
        break;
      }
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }
  std::string Host() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  std::string Post(const std::string& path, const std::string& body, const std::string& more = {}) const {
    return "POST /api/v1/" + path + " HTTP/1.1\r\nHost: " + Host() +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n" + more + "\r\n" + body;
  }
  std::string Ask(const std::string& request) const {
    const int socket = Connect();
    Send(socket, request);
    std::string answer = Receive(socket);
    ::close(socket);
    return answer;
  }
  std::string Get(const std::string& host, const std::string& more = {}) const {
    return Ask("GET /api/v1/models HTTP/1.1\r\n" + host + more + "Connection: close\r\n\r\n");
  }

  LoadedModel model_ = LoadFakeModel("remi");
  Api api_{model_, {.body_bytes = 100000, .waiting = 4}};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersRequestsThatNameIt) {
  EXPECT_THAT(Get("Host: " + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("Host: localhost:" + std::to_string(server_->port()) + "\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: http://" + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesOtherNamesAndOtherOrigins) {
  EXPECT_THAT(Get("Host: evil.example:" + std::to_string(server_->port()) + "\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: 127.0.0.1\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get(""), Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: null\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: https://" + Host() + "\r\n"), StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, StreamsEvents) {
  const std::string answer = Ask(Post("generate", R"({"bars": 2, "seed": 3})"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("text/event-stream"));
  EXPECT_THAT(answer, HasSubstr("event: bar\ndata: {\"index\":0,\"bars\":1,"));
  EXPECT_THAT(answer, HasSubstr("event: piece\n"));
  EXPECT_THAT(answer, HasSubstr("event: done\n"));
}

TEST_F(HttpServerTest, LimitsBodiesAndHeaders) {
  EXPECT_THAT(Ask(Post("generate", std::string(100001, ' '))), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Ask("POST /api/v1/generate HTTP/1.1\r\nHost: " + Host() + "\r\nContent-Length: 99999999999999\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  std::string chunks = "POST /api/v1/generate HTTP/1.1\r\nHost: " + Host() +
                       "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 30; ++i) {
    chunks += "1000\r\n" + std::string(4096, ' ') + "\r\n";
  }
  EXPECT_THAT(Ask(chunks), Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "X: " + std::string(100000, 'x') + "\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));  // and goes on
}

TEST_F(HttpServerTest, AClientThatGoesFreesTheModel) {
  for (int i = 0; i < 4; ++i) {
    const int socket = Connect();
    Send(socket, Post("generate", R"({"bars": 1000, "count": 8})"));
    EXPECT_THAT(Receive(socket, "event: "), HasSubstr("event: ")) << i;
    ::close(socket);
  }
  EXPECT_THAT(Ask(Post("generate", R"({"bars": 1})")), HasSubstr("event: done"));
}

TEST_F(HttpServerTest, EndsWhileRequestsRun) {
  const int socket = Connect();
  Send(socket, Post("generate", R"({"bars": 1000, "count": 8})"));
  Receive(socket, "event: bar");
  const int waiting = Connect();
  Send(waiting, Post("evaluate", R"({"midi": ""})"));
  server_.reset();
  ::close(socket);
  ::close(waiting);
}

TEST_F(HttpServerTest, APortThatIsTakenIsAnError) {
  const auto second = HttpServer::Start(api_, {.port = server_->port()});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().ToString(), HasSubstr("--port"));
}

}  // namespace
}  // namespace continuo
