#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// For people one sum and a verdict, for programs both sums.
Fields<v1::CertifiedTable> CertifiedFields(bool for_people) {
  using Table = v1::CertifiedTable;
  Fields<Table> fields = {
      {"TABLE", [](const Table& t) { return TextValue(t.table()); }},
      {"EXPECTED", [](const Table& t) { return CountValue(t.expected().rows()); }, Align::kRight},
      {"FOUND", [](const Table& t) { return CountValue(t.found().rows()); }, Align::kRight},
      {"AT POINT",
       [](const Table& t) {
         return t.has_at_point() ? CountValue(t.at_point().rows()) : TextValue("");
       },
       Align::kRight},
      {"BYTES", [](const Table& t) { return BytesValue(t.found().bytes()); }, Align::kRight},
      {"SUM", [](const Table& t) { return TextValue(t.found().sum()); }},
  };
  if (!for_people) {
    fields.push_back(
        {"EXPECTED SUM", [](const Table& t) { return TextValue(t.expected().sum()); }});
  }
  fields.push_back({"RESULT", [](const Table& t) {
                      const bool equal = t.found().rows() == t.expected().rows() &&
                                         t.found().bytes() == t.expected().bytes() &&
                                         t.found().sum() == t.expected().sum();
                      return equal ? TextValue("as expected", Style::kGood)
                                   : TextValue("differs", Style::kBad);
                    }});
  return fields;
}

Fields<v1::Certificate> CertificateFields(absl::Time now) {
  using Certificate = v1::Certificate;
  return {
      {"certificate of", [](const Certificate& c) { return TextValue(c.restore(), Style::kBold); }},
      {"tenant", [](const Certificate& c) { return TextValue(NameOf(c.tenant())); }},
      {"store",
       [](const Certificate& c) {
         return TextValue(absl::StrCat(c.tenant().store(), ", ", c.store_identity()));
       }},
      {"did",
       [](const Certificate& c) {
         return TextValue(c.kind() == v1::RESTORE_KIND_UNDO
                              ? absl::StrCat("undo of ", c.undo_of())
                              : absl::StrCat("restore, ", WordFor(c.mode())));
       }},
      {"point",
       [now](const Certificate& c) {
         return TextValue(c.has_point() ? PointSentence(c.point(), now) : "");
       }},
      {"rows",
       [](const Certificate& c) {
         return TextValue(absl::StrCat(HumanCount(c.inserted()), " inserted, ",
                                       HumanCount(c.replaced()), " replaced, ",
                                       HumanCount(c.deleted()), " deleted"));
       }},
      {"committed",
       [now](const Certificate& c) {
         return TimeValue(c.has_commit_time(), c.commit_time(), now);
       }},
      {"how it is known",
       [](const Certificate& c) {
         return TextValue(
             c.resolved_by().empty()
                 ? (c.resolved_by_evidence() ? "rows in the store proved the commit" : "")
                 : absl::StrCat(c.resolved_by(), " said so: ", c.resolved_reason()));
       }},
      {"plan digest", [](const Certificate& c) { return TextValue(c.plan_digest()); }},
      {"snapshot digest", [](const Certificate& c) { return TextValue(c.snapshot_root_digest()); }},
      {"asked for by", [](const Certificate& c) { return TextValue(c.actor().name()); }},
      {"reason", [](const Certificate& c) { return TextValue(c.reason()); }},
      {"reference", [](const Certificate& c) { return TextValue(c.reference()); }},
  };
}

template <typename Sentences>
std::string Listed(const std::string& title, const Sentences& sentences) {
  std::string text = absl::StrCat("\n", title, "\n");
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&text, "  ", Printable(sentence), "\n");
  }
  return text;
}

}  // namespace

absl::Status PrintCertificate(const v1::Certificate& certificate, const Session& session) {
  const Output& output = session.output();
  const std::vector<v1::CertifiedTable> tables(certificate.tables().begin(),
                                               certificate.tables().end());
  if (output.format() != OutputFormat::kTable) {
    return output.Part(certificate, tables, CertifiedFields(/*for_people=*/false));
  }
  RETURN_IF_ERROR(output.One(certificate, CertificateFields(session.now())));
  output.Text("\nRead back before the commit:\n");
  output.Text(output.Table(tables, CertifiedFields(/*for_people=*/true)));
  if (!certificate.method().empty()) {
    output.Text(absl::StrCat("\nHow: ", Printable(certificate.method()), ".\n"));
  }
  output.Text(certificate.exceptions().empty() ? "\nNo exceptions.\n"
                                               : Listed("Exceptions:", certificate.exceptions()));
  if (certificate.has_second_look_time()) {
    const std::string when = HumanTime(ToTime(certificate.second_look_time()));
    if (certificate.second_look_size() == 0) {
      output.Text(absl::StrCat("Compared once more at ", when, ": as expected.\n"));
    } else {
      const std::vector<v1::CertifiedTable> second(certificate.second_look().begin(),
                                                   certificate.second_look().end());
      output.Text(absl::StrCat("\nCompared once more at ", when,
                               ": the application has changed these tables since.\n"));
      output.Text(output.Table(second, CertifiedFields(/*for_people=*/true)));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
